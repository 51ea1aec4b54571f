"""What a log's witnesses have said: the sizes they named, their cosignatures, and the gate they hold.

Used under the ledger's lock. Cosignatures are C2SP `cosignature/v1`; who may cosign, and how many make a
checkpoint *witnessed*, is the log's setting here and the verifier's policy elsewhere.
"""

from collections.abc import Sequence
from typing import Final

from entrepot.ledger.errors import SignatureError
from entrepot.ledger.note import (
    Checkpoint,
    Cosignature,
    Note,
    NoteKey,
    NoteSignature,
    decode_note,
    encode_note,
    verify_checkpoint,
    verify_cosignature,
)

_ROUNDS: Final = 16


class Witnesses:
    """What the witnesses of a log have said since its start: sizes, cosignatures, and the gate they hold."""

    def __init__(self, keys: Sequence[NoteKey], quorum: int, since: int) -> None:
        if not min(1, len(keys)) <= quorum <= len(keys) or len({key.name for key in keys}) != len(keys):
            raise ValueError(f"a quorum of {quorum} among {len(keys)} witnesses of different names")
        self.keys = {key.name: key for key in keys}
        self.sizes: dict[str, int] = {}
        self.note: bytes | None = None
        self.witnessed = 0
        self._quorum = quorum
        self._since = since
        self._heard: set[str] = set()
        self.open = not keys
        self._cosignatures: dict[int, dict[str, NoteSignature]] = {}

    @property
    def waiting_for(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.keys) - self._heard))

    def behind(self, size: int) -> int | None:
        """The largest size a witness has named, if it is beyond `size`."""
        largest = max(self.sizes.values(), default=0)
        return largest if largest > size else None

    def name_size(self, witness: str, size: int) -> None:
        if witness not in self.keys:
            raise SignatureError("no such witness")
        self.sizes[witness] = size

    def add(self, note: Note, checkpoint: Checkpoint, signatures: Sequence[NoteSignature]) -> Note | None:
        """Take in cosignatures; the note with all of them, when they make a larger tree *witnessed*."""
        known = self._cosignatures.setdefault(checkpoint.size, {})
        while len(self._cosignatures) > _ROUNDS:  # a witness that never answers must not fill the memory
            del self._cosignatures[min(self._cosignatures)]
        for signature, cosignature in self._holding(note.text, signatures):
            known[cosignature.name] = signature
            self.sizes[cosignature.name] = max(self.sizes.get(cosignature.name, 0), checkpoint.size)
            # An older cosignature says nothing of what the witness has cosigned since.
            if cosignature.time >= self._since:
                self._heard.add(cosignature.name)
                self.open = self._heard == set(self.keys)
        if not self.keys or len(known) < self._quorum or checkpoint.size < self.witnessed:
            return None
        full = Note(note.text, (*note.signatures, *(known[name] for name in sorted(known))))
        self.note, self.witnessed = encode_note(full), checkpoint.size
        return full

    def require_quorum(self, note: Note) -> None:
        names = {cosignature.name for _, cosignature in self._holding(note.text, note.signatures)}
        if len(names) < max(1, self._quorum):
            raise SignatureError(f"checkpoint has {len(names)} cosignatures, expected {self._quorum}")

    def recall(self, raw: bytes | None, key: NoteKey) -> None:
        """Take up the newest witnessed checkpoint of an earlier life; it opens no gate."""
        if raw is not None and self.keys:
            self.note, self.witnessed = raw, verify_checkpoint(decode_note(raw), key).size

    def _holding(
        self, text: str, signatures: Sequence[NoteSignature]
    ) -> list[tuple[NoteSignature, Cosignature]]:
        """The cosignatures of known witnesses; one of theirs that fails is `SignatureError`."""
        found = []
        for signature in signatures:
            key = self.keys.get(signature.name)
            if key is not None and key.id == signature.key_id:
                found.append((signature, verify_cosignature(text, signature, key)))
        return found
