"""The operations of the ledger, one module a subject. Integers only, no clock, no randomness, no I/O."""
