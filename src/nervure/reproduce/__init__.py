"""The papers' experiments: one ledger of results, one command."""

from nervure.reproduce.ledger import Ledger

__all__ = ["Ledger"]
