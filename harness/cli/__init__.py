"""The command line."""

from vosbench.harness.cli.app import main

__all__ = ["main"]
