"""How do people reach it? The command line."""

from entrepot.cli.main import main

__all__ = ["main"]
