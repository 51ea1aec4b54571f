"""Typed identifiers. Each is text; the type says whose name it is."""

from typing import NewType

Did = NewType("Did", str)
"""A decentralised identifier of a member or platform (`did:web:...`)."""

KeyId = NewType("KeyId", str)
"""A verification method: the DID, `#`, and the key's name."""

MessageId = NewType("MessageId", str)
"""The stable `@id` of a message; a repeat carries the same one."""

ProductId = NewType("ProductId", str)
"""A data product: in the catalogue a DCAT dataset, by national code where it has one."""

OfferId = NewType("OfferId", str)
AgreementId = NewType("AgreementId", str)
"""The agreement of the Dataspace Protocol; as provider we use the contract's id for it."""

ContractId = NewType("ContractId", str)
"""The national digital contract, 47 characters, given by the platform."""

ProcessId = NewType("ProcessId", str)
"""Our own id of a negotiation or transfer process: `providerPid` or `consumerPid`, by our role."""

UseId = NewType("UseId", str)
"""One use under one agreement; all its records carry it."""

TransactionId = NewType("TransactionId", str)
"""A ledger transaction, named by the digest of its payload."""
