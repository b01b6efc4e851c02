"""Examples of merges that the server's engine and the phone's must decide alike; generate.py says how they are made."""
