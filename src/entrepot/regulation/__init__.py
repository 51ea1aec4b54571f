"""What does the law ask? Rules as dated data, never as code; the outcome is advice to a person."""

from entrepot.regulation.rules import (
    Ruling,
    grace,
    kinds_admitted,
    may_list,
    may_use,
    needs_person,
    retention,
)

__all__ = ["Ruling", "grace", "kinds_admitted", "may_list", "may_use", "needs_person", "retention"]
