"""Runners that live in another process; see docs/subprocess-runner.md."""
