"""The networks as plain torch modules, and their checkpoints.

This room knows no clock, no database and no dataset. Importing the package imports no torch:
take what you need from its modules.
"""
