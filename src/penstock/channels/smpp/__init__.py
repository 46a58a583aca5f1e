"""SMPP 3.4: codec, session, client and our own SMSC."""
