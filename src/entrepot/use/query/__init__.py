"""Queries in place: the consumer asks about groups of a table that never leaves (`EntrepotQuery-PULL`)."""

from entrepot.use.query.answer import QueryAnswer, read_answer
from entrepot.use.query.cage.model import Limits
from entrepot.use.query.children import Children
from entrepot.use.query.door import QueryDoor
from entrepot.use.query.sandbox import Sandbox, Tier, at_least

__all__ = ["Children", "Limits", "QueryAnswer", "QueryDoor", "Sandbox", "Tier", "at_least", "read_answer"]
