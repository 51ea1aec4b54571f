"""Credentials in a space of real nodes: asked for, brought, refused with a reason, and asked for anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from entrepot.node.settings import Status
from space import SaidNoError, Space, found_space, wait_for


@pytest.fixture
def harbour(tmp_path: Path) -> Iterator[Space]:
    """Three nodes that hear of each other's standing within a second."""
    made = found_space(tmp_path, status=Status(max_age=60, resign=5, poll=0.5))
    yield made
    made.stop()


def asked(space: Space, form: str) -> Any:
    """What became of a request of the consumer for its membership."""
    made = space.consumer.ask(
        "POST", "/owner/credential-requests", {"types": ["MembershipCredential"], "form": form}
    )

    def ended() -> Any:
        rows = space.consumer.ask("GET", "/owner/credential-requests")
        (row,) = [r for r in rows if r["request"] == made["request"]]
        return row if row["state"] in {"ISSUED", "REJECTED"} else None

    return wait_for("the platform's answer", ended)


def forms(space: Space) -> list[str]:
    """The forms of the credentials that hold now."""
    return sorted(c["form"] for c in space.consumer.ask("GET", "/owner/credentials") if c["holds"])


def is_let_in(space: Space, product: str) -> bool:
    """Whether the platform answers the consumer's search."""
    try:
        return bool(space.consumer.ask("GET", f"/owner/search?words={product}"))
    except SaidNoError:
        return False


def test_a_member_that_was_suspended_comes_back_with_a_credential_of_its_new_place(harbour: Space) -> None:
    """A suspension shuts the old place for good; without a new credential the member would stay outside."""
    space = harbour
    product = space.offer(b"data of the provider", uses=5)
    space.use(product)
    assert asked(space, "vc11")["state"] == "ISSUED"
    assert forms(space) == ["vc11-sl2021/jwt", "vc20-bssl/jwt"]

    member = f"/owner/members/{quote(space.consumer.did, safe='')}"
    space.operator.ask("POST", f"{member}/suspend", {"why": "audit"})
    refused = asked(space, "vc20")
    assert (refused["state"], refused["reason"]) == ("REJECTED", "the membership is suspended")
    # The list of VC 1.1 is of another address, which nobody here fetches for itself.
    wait_for("the news of the suspension", lambda: "vc20-bssl/jwt" not in forms(space))

    space.operator.ask("POST", f"{member}/resume")
    assert asked(space, "vc20")["state"] == "ISSUED"
    assert "vc20-bssl/jwt" in forms(space)
    # Who was seen revoked is asked for another credential again after some seconds, not at once.
    wait_for("the platform to see the new credential", lambda: is_let_in(space, product))
    assert space.use(product).use
