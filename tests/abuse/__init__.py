"""What strangers may try: floods, silence, nonsense, bombs and guesses."""
