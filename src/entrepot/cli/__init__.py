"""How do people reach it? The command line."""

from entrepot.cli.entry import main

__all__ = ["main"]
