"""A policy comes back from either database as it was kept, whatever it says."""

import importlib.util
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from entrepot.catalogue import Product, list_product, product_digest, product_under, tensions_of
from entrepot.journal import Journal
from entrepot.policy import OPERANDS, Operator, Policy, Rule, parse_policy
from entrepot.values import Did, Grade, KindOfUse, ProductId, sha256

SAMPLES = Path(__file__).parents[1] / "unit/policy/samples.py"


def _samples() -> ModuleType:
    """The policies of the unit tests."""
    name = "entrepot_policy_samples"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, SAMPLES)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


SAMPLED = _samples()


def product_of(policy: Policy, number: int) -> Product:
    return Product(
        id=ProductId(f"urn:product:{number}"),
        version=1,
        title="t",
        description="d",
        keywords=(),
        provider=Did("did:web:other"),
        grade=Grade.L2,
        rights="r",
        kinds=frozenset({KindOfUse.DELIVERY}),
        policy=policy,
        media_type="text/csv",
        size=10,
        artefact=sha256(b"x"),
        published_at=datetime(2026, 11, 25, tzinfo=UTC),
    )


class PoliciesContract:
    """What both databases promise about policies. Subclasses provide `journal`."""

    def comes_back(self, journal: Journal, policy: Policy, number: int) -> None:
        made = product_of(policy, number)
        journal.write_now(lambda tx: list_product(tx, made))
        found = journal.read_now(lambda c: product_under(c, made.id, product_digest(made)))
        assert found is not None
        assert found.policy == policy

    @pytest.mark.parametrize("name", sorted(OPERANDS))
    def test_every_operand_and_operator_survives_the_database(self, journal: Journal, name: str) -> None:
        """What is decided years later is what was signed."""
        # An algorithm is named beside the service party that brings it, or not at all.
        beside = (SAMPLED.SAMPLE_ATOMS["serviceParty", Operator.HAS_PART],) if "Algorithm" in name else ()
        (rule,) = parse_policy(SAMPLED.example(name)).permissions
        self.comes_back(journal, Policy((replace(rule, constraints=(*rule.constraints, *beside)),)), 0)
        for number, operator in enumerate(sorted(OPERANDS[name].operators), 1):
            atom = SAMPLED.SAMPLE_ATOMS[name, operator]
            self.comes_back(journal, Policy((Rule("use", (atom, *beside)),)), number)

    def test_duties_of_every_moment_survive_the_database(self, journal: Journal) -> None:
        """Whoever owes something cannot find it gone."""
        for number, duty in enumerate(SAMPLED.SAMPLE_DUTIES):
            self.comes_back(journal, Policy((Rule("use", (), (duty,)),), obligations=(duty,)), number)

    def test_what_another_product_over_the_same_data_holds_back_is_found(self, journal: Journal) -> None:
        """Whoever offers a file sees that its rows are protected elsewhere; other data is no matter."""
        protected = product_of(parse_policy(SAMPLED.example("fields")), 1)
        open_ = product_of(parse_policy({"permission": [{"action": "use"}]}), 2)
        elsewhere = replace(open_, id=ProductId("urn:product:3"), artefact=sha256(b"other"))
        for made in (protected, open_, elsewhere):
            journal.write_now(lambda tx, made=made: list_product(tx, made))  # type: ignore[misc]  # bound in the loop

        assert journal.read_now(lambda c: tensions_of(c, open_)) == (
            "urn:product:1: permission[0]: it has no fields, with which the other protects the same data",
        )
        assert journal.read_now(lambda c: tensions_of(c, protected)) == ()
        assert journal.read_now(lambda c: tensions_of(c, elsewhere)) == ()


class TestSqlitePolicies(PoliciesContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestPostgresqlPolicies(PoliciesContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
