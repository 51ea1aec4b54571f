"""Who watches? Evidence packages of single uses, and their verification."""

from entrepot.oversight.archive import pack, unpack, write_folder
from entrepot.oversight.evidence import (
    EvidenceError,
    LogEntry,
    OpenedRecord,
    choose_entries,
    export_evidence,
)
from entrepot.oversight.reading import contract_text, is_contract_text
from entrepot.oversight.requests import OPENINGS_REQUEST, OpeningsRequest, Side, requests, write_down
from entrepot.oversight.retention import erase, export, run_out
from entrepot.oversight.sides import (
    Disagreement,
    Shown,
    Sides,
    disagreements,
    lay_beside,
    read_shown,
    use_beside,
)
from entrepot.oversight.statement import render_evidence_report
from entrepot.oversight.store import WrittenRequest
from entrepot.oversight.trust import write_policy
from entrepot.oversight.verify import EXIT_CODES as EVIDENCE_EXIT_CODES
from entrepot.oversight.verify import Report as EvidenceReport
from entrepot.oversight.verify import read_folder as read_evidence
from entrepot.oversight.verify import verify as verify_evidence

__all__ = [
    "EVIDENCE_EXIT_CODES",
    "OPENINGS_REQUEST",
    "Disagreement",
    "EvidenceError",
    "EvidenceReport",
    "LogEntry",
    "OpenedRecord",
    "OpeningsRequest",
    "Shown",
    "Side",
    "Sides",
    "WrittenRequest",
    "choose_entries",
    "contract_text",
    "disagreements",
    "erase",
    "export",
    "export_evidence",
    "is_contract_text",
    "lay_beside",
    "pack",
    "read_evidence",
    "read_shown",
    "render_evidence_report",
    "requests",
    "run_out",
    "unpack",
    "use_beside",
    "verify_evidence",
    "write_down",
    "write_folder",
    "write_policy",
]
