"""Products: which description stands behind a product's name, and whose it is."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from entrepot.ledger.operation import Context, Member, Outcome, Reason, Refusal, View
from entrepot.ledger.transaction import DigestText

ProductText = Annotated[
    str, Meta(pattern=r"^([67][0-9A-Z]{30}[0-9A-Z*]|urn:[a-z0-9-]{1,31}:[A-Za-z0-9._:-]{1,120})\Z")
]
"""A national data code, or a URN."""

ListableGrade = Literal["L1", "L2", "L3", "L4", "important"]
"""Every grade of `values.Grade` but core data, which is never offered."""


class ProductRegister(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `product.register`."""

    digest: DigestText
    grade: ListableGrade
    product: ProductText


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is registered: the digest of the description, its grade, and its owner for ever."""

    digest: str
    grade: str
    owner: str


def register(view: View, actor: Member, body: ProductRegister, _context: Context) -> Outcome:
    """The first who registers a name owns it; only the owner may put another description behind it."""
    key = f"products/{body.product}"
    known = view.read(key, Product)
    product = Product(body.digest, body.grade, actor.did)
    if known is not None and known.owner != actor.did:
        return Refusal(Reason.NOT_ALLOWED)
    if known == product:
        return Refusal(Reason.EXISTS)
    return {key: product}
