"""What may be asked at a door: the table behind it, with the roles, rows and smallest group in force.

It is the provider's word (the product's `Protection`, which the contract covers) and, where the contract asks
for more (other fields, rows, larger groups, fewer rows out, less time), the contract's.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from entrepot.catalogue import ColumnRole, Product, Resource
from entrepot.policy import Comparison, Fact, Policy, RowFilter, Source, Terms, terms_of
from entrepot.use.query.cage.model import SENTENCES, Column, Filter, Limits, Role, Table, Written
from entrepot.use.query.sandbox import Tier
from entrepot.values import KindOfUse, render_digest, sha256
from entrepot.values.canonical import Json

_ROLES: Final = {
    ColumnRole.JOIN: Role.JOIN,
    ColumnRole.DIMENSION: Role.DIMENSION,
    ColumnRole.MEASURE: Role.MEASURE,
}


@dataclass(frozen=True, slots=True)
class Askable:
    """What may be asked, within which limits."""

    table: Table
    limits: Limits
    row_filter: RowFilter | None


def askable(product: Product, resource: Resource, policy: Policy, limits: Limits) -> Askable | None:
    """What may be asked about a product under a contract; None where nobody has said it."""
    protection, terms = product.protection, terms_of(policy, KindOfUse.QUERY)
    if protection is None or not resource.columns:
        return None
    roles = {name: _ROLES[role] for name, role in protection.roles if _is_left(name, terms)}
    if protection.subject:
        roles[protection.subject] = Role.SUBJECT
    columns = tuple(
        Column(name=c.name, type=str(c.type), role=roles.get(c.name, Role.HIDDEN)) for c in resource.columns
    )
    if protection.subject and protection.subject not in {c.name for c in columns}:
        return None
    table = Table(
        name=protection.table,
        columns=columns,
        k=max(protection.k, terms.minimum_group_size or 0),
        filters=tuple(_filter(c) for c in terms.row_filter.comparisons) if terms.row_filter else (),
    )
    return Askable(table, _narrowed(limits, terms), terms.row_filter)


def _is_left(column: str, terms: Terms) -> bool:
    return column not in terms.hidden and (terms.fields is None or column in terms.fields)


def _filter(comparison: Comparison) -> Filter:
    values = [v if isinstance(v, str) else f"{v:f}" for v in comparison.values]
    is_text = isinstance(comparison.values[0], str)
    return Filter(column=comparison.column, mark=comparison.mark, values=tuple(values), is_text=is_text)


def _narrowed(limits: Limits, terms: Terms) -> Limits:
    return msgspec.structs.replace(
        limits,
        rows=min(limits.rows, limits.rows if terms.max_rows is None else terms.max_rows),
        seconds=min(limits.seconds, limits.seconds if terms.max_seconds is None else terms.max_seconds),
    )


def facts_seen(asked: Askable, written: Written | None, tier: Tier) -> dict[str, Fact]:
    """What the door has seen of a question, for the policy: everything in it is our own observation."""
    seen: dict[str, str | int | timedelta | frozenset[str]] = {
        "minimumGroupSize": asked.table.k,
        "retention": timedelta(0),
        "rowFilter": asked.row_filter.texts if asked.row_filter else frozenset(),
        "rowsPerUse": asked.limits.rows,
        "secondsPerUse": int(asked.limits.seconds),
    }
    if tier is Tier.BWRAP:
        seen["environment"] = "sandbox"
    # What is refused from its text looks at nothing: the gate is told so, and the use is taken back.
    reads = () if written is None else written.reads
    seen["fields"] = frozenset(reads)
    if written is not None:
        seen["algorithm"] = render_digest(sha256(written.sql.encode()))
    return {name: Fact(value, Source.OBSERVED) for name, value in seen.items()}


def render_schema(asked: Askable) -> Json:
    """What a consumer is told of a door: enough to ask, and nothing of the data."""
    table, limits = asked.table, asked.limits
    shown = [c for c in table.columns if c.role is not Role.HIDDEN]
    return {
        "columns": [{"name": c.name, "role": str(c.role), "type": c.type} for c in shown],
        "dialect": "the part of SQL that docs/reference/query.md describes, as DuckDB writes it",
        "limits": {
            "bytes": limits.bytes,
            "characters": limits.characters,
            "groupKeys": limits.keys,
            "rows": limits.rows,
            "seconds": int(limits.seconds),
        },
        "rules": {str(rule): sentence for rule, sentence in SENTENCES.items()},
        "smallestGroup": table.k,
        "table": table.name,
    }
