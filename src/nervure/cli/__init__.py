"""The `nervure` command."""

from nervure.cli.app import main

__all__ = ["main"]
