"""Every table of a node, declared by importing the packages that have some."""


def declare_tables() -> None:
    """Put the tables of all packages into the journal's metadata."""
    import entrepot.catalogue
    import entrepot.contracts
    import entrepot.identity
    import entrepot.ledger
    import entrepot.oversight
    import entrepot.policy
    import entrepot.space
    import entrepot.use
    import entrepot.use.query  # noqa: F401 (imported for what it declares)
