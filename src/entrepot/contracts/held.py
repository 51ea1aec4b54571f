"""Every contract that this node has a part in, page by page: its own, and what it signed as service party."""

from typing import Final

from sqlalchemy import Connection, select, union_all

from entrepot.contracts import serving_store, store
from entrepot.contracts.life import Contract, agreement_of, contract_by_id
from entrepot.contracts.serving import ServiceContract, ServiceState, service_contract, services_of
from entrepot.journal import Page, Pages, Place
from entrepot.values import AgreementId, ContractId

_CONTRACTS: Final = (ServiceState.FILED, ServiceState.ENDED)
_ALL: Final = union_all(store.HELD, serving_store.in_states(_CONTRACTS)).subquery()
_PAGES: Final = Pages(select(_ALL), _ALL.c.since, _ALL.c.id)


def contract_page(connection: Connection, place: Place) -> Page[Contract | ServiceContract]:
    """The newest first; without what is held on another control plane's word, and without requests."""

    def whole(of: str, *, is_ours: bool) -> Contract | ServiceContract:
        found = agreement_of(connection, AgreementId(of)) if is_ours else service_contract(connection, of)
        if found is None:
            raise AssertionError("what a snapshot lists is in it")
        return found

    return _PAGES.page(connection, place).of(lambda row: whole(row.id, is_ours=bool(row.is_ours)))


def find_contract(connection: Connection, of: str) -> Contract | ServiceContract | None:
    """One of them, by its agreement's id or by its own."""
    ours = agreement_of(connection, AgreementId(of)) or contract_by_id(connection, ContractId(of))
    signed = (c for c in services_of(connection, ContractId(of)) if c.state in _CONTRACTS)
    return next(signed, None) if ours is None or ours.vouched_by else ours
