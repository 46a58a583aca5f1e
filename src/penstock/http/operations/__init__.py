"""
The handlers, by subject; each module ends with the table of its operations.
"""
