"""Duties among real nodes: paid before use, informed alongside, deleted after, each known to both sides."""

from typing import Any, Final

from entrepot.values import DataType, data_code
from space import Running, Space, made_bytes, wait_for

BEFORE_AND_AFTER: Final[list[Any]] = [
    {
        "action": "odrl:compensate",
        "constraint": [{"leftOperand": "odrl:payAmount", "operator": "eq", "rightOperand": "100.00 CNY"}],
    },
    {
        "action": "odrl:inform",
        "constraint": [{"leftOperand": "odrl:event", "operator": "eq", "rightOperand": "odrl:policyUsage"}],
    },
    {
        "action": "odrl:delete",
        "constraint": [
            {"leftOperand": "odrl:event", "operator": "gt", "rightOperand": "odrl:policyUsage"},
            {"leftOperand": "odrl:elapsedTime", "operator": "lteq", "rightOperand": "P30D"},
        ],
    },
]
DELETE: Final = "delete within P30D"


def offer(space: Space) -> str:
    file = space.root / "owing.bin"
    file.write_bytes(made_bytes(10_000, 5))
    attached = space.provider.ask("POST", "/owner/resources", {"path": str(file)})
    product: str = space.provider.ask(
        "POST",
        "/owner/products",
        {
            "id": data_code(DataType.PRODUCT, space.provider.code, "3101", "D0000001"),
            "resource": attached["resource"],
            "title": "Owing",
            "description": "Bytes made for a test",
            "rights": "use for research",
            "grade": "L2",
            "kinds": ["delivery"],
            "policy": {"permission": [{"action": "use", "duty": BEFORE_AND_AFTER}]},
        },
    )["id"]
    wait_for("its listing", lambda: space.operator.rows("SELECT 1 FROM product WHERE id = ?", product))
    return product


def duties(node: Running, agreement: str) -> list[tuple[str, str, bool]]:
    found = node.ask("GET", f"/owner/contracts/{agreement}/duties")
    return [(d["duty"], d["state"], d.get("isSigned", False)) for d in found]


def test_a_use_is_paid_for_first_and_deleted_after(space: Space) -> None:
    """The door waits for the payment, each side lists what is owed, and a signed notice crosses the wire."""
    product = offer(space)
    first = space.begin(product).ended()
    assert "do first: compensate 100.00 CNY" in first.problem
    agreement = first.agreement
    asked = {"agreement": agreement, "kind": "delivery"}
    told = space.provider.ask("POST", "/owner/policy/explain", asked)
    assert (told["allowed"], told["reasons"]) == (False, ["do first: compensate 100.00 CNY"])
    assert "compensate 100.00 CNY: enforced here" in told["assured"]["en"]
    assert "delete within 30 days: recorded only" in told["assured"]["en"]

    space.provider.ask("POST", f"/owner/contracts/{agreement}/payments", {"amount": "100.00 CNY"})
    assert space.provider.ask("POST", "/owner/policy/explain", asked)["allowed"]
    space.begin(product, agreement).received()
    due = [
        ("compensate 100.00 CNY", "performed", False),
        ("inform", "performed", False),
        (DELETE, "due", False),
    ]
    wait_for("what the provider is owed", lambda: duties(space.provider, agreement) == due)
    assert (DELETE, "due", False) in duties(space.consumer, agreement)
    assert [d["duty"] for d in space.consumer.ask("GET", "/owner/duties")] == [DELETE]

    space.consumer.ask("POST", f"/owner/contracts/{agreement}/duties", {"duty": DELETE})
    done = (DELETE, "performed", True)
    assert done in duties(space.consumer, agreement)
    wait_for("the notice", lambda: done in duties(space.provider, agreement))
