"""What can go wrong with what a node holds.

EntrepotError
├── MalformedError
│   └── SourceError    a source that cannot be read, or holds what no table may hold     (400)
└── ExtraError         what reads tables is not installed on this node                   (501)
"""

from typing import ClassVar

from entrepot.values import EntrepotError, MalformedError


class SourceError(MalformedError):
    """A source that cannot be read, or holds what no table may hold. **Says no value that stands in it.**"""

    def remedy(self) -> str:
        return "Correct the source, or name it anew; docs/guide/sources.md says what can be attached."


class ExtraError(EntrepotError):
    """What reads tables is not installed on this node."""

    status: ClassVar[int] = 501

    def __init__(self, work: str, extra: str) -> None:
        super().__init__(f"{work} needs the extra `{extra}`, which is not installed here")
        self.extra = extra

    def remedy(self) -> str:
        return f"Install it beside the node: pip install 'entrepot[{self.extra}]'."
