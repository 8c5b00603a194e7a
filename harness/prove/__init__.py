"""Proof that the program does on this machine what it promises: ``vosbench doctor --prove``.

Each check measures figures beside the bounds that they must keep, and has a test that breaks what
it checks and sees it fail.
"""
