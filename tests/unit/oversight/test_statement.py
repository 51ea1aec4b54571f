"""A verifier's report in the words of a court: Chinese and English, the same facts in both."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.cli.proof import verify as evidence_verify
from entrepot.oversight import render_evidence_report, verify, verify_evidence, write_folder
from entrepot.oversight.evidence import manifest
from entrepot.oversight.statement import _OBJECTIONS


@pytest.fixture(scope="module")
def report(street: Any) -> Any:
    story = street.usual(receipt=street.signed_receipt())
    return verify_evidence(story.package(), street.policy)


def test_a_true_package_is_told_in_english(street: Any, report: Any) -> None:
    """Verdict first, then who saw it, who held which key, what was promised and done."""
    text = render_evidence_report(report)

    assert text.startswith("VERIFIED.\nThe log is ledger.example/space; its checkpoint counts 14 entries.\n")
    assert "on the log by 2026-11-25T13:00:00.000000Z, says witness-0.example." in text
    assert (
        "Entry 9 was on the log by 2026-11-25T13:00:00.000000Z: usage.batch, by did:web:provider.example."
        in text
    )
    assert (
        f"Key {street.provider.key_id}, epoch 1: bound from entry 1, until the checkpoint at least." in text
    )
    assert "  2026-11-25T12:01:00.000000Z  opened: under way, 1 uses; in entry 9" in text
    assert "The consumer's receipt: agreed." in text


def test_both_languages_tell_the_same_facts(report: Any) -> None:
    """Whatever is a name, a number or a time in one is in the other; nothing is left in English words."""
    english, chinese = (render_evidence_report(report, language) for language in ("en", "zh"))
    facts = r"did:\S+?example|sha256:[0-9a-f]+|\d{4}-\d\d-\d\dT[0-9:.]+Z|usage\.batch|contract\.file"

    assert sorted(re.findall(facts, english)) == sorted(re.findall(facts, chinese))
    assert chinese.startswith("验证通过。\n")
    for word in ("opened", "closed", "agreed", "receipt"):
        assert word not in chinese


def test_what_is_not_trusted_or_refused_says_so_first(report: Any) -> None:
    """Nobody may read past the verdict."""
    for verdict, english, chinese in (
        ("consistent, not trusted", "CONSISTENT, NOT TRUSTED", "自相一致，但不可信"),
        ("refused", "REFUSED: ", "不予认可"),
    ):
        told = replace(report, verdict=verdict, why="a reason")
        assert render_evidence_report(told).startswith(english)
        assert render_evidence_report(told, "zh").startswith(chinese)


def test_every_objection_has_its_words_in_both_languages(report: Any) -> None:
    """An objection that only one language knows is one that a party does not read."""
    source = Path(str(verify.__file__)).read_text()
    listed = re.findall(r'^            \(f?"([A-Z][^"{]+?)(?:\{ended\}\.)?", ', source, re.MULTILINE)

    assert listed == list(_OBJECTIONS)
    told = replace(report, objections=[text if text.endswith(".") else f"{text}[7, 9]." for text in listed])
    chinese = render_evidence_report(told, "zh")
    assert all(words in chinese for words in _OBJECTIONS.values())
    assert "见条目[7, 9]。" in chinese
    assert all(text in render_evidence_report(told) for text in told.objections)


def test_the_command_line_says_the_same_in_both_languages_and_warns_of_other_words(
    street: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit codes are the verifier's; a text that says something else than was signed is told, not hidden."""
    files = street.usual().package()
    write_folder(files, tmp_path / "true")
    kinder = files | {"contract.txt": files["contract.txt"].replace(b"2026-12-31", b"2036-12-31")}
    write_folder(kinder | {"manifest.json": manifest(kinder)}, tmp_path / "reworded")
    write_folder(files | {"contract.json": b"{}"}, tmp_path / "broken")
    policy = tmp_path / "policy"
    policy.write_text(street.policy)

    assert evidence_verify(tmp_path / "true", policy_file=policy) == 0
    assert capsys.readouterr() == (render_evidence_report(verify_evidence(files, street.policy)), "")
    assert evidence_verify(tmp_path / "true", policy_file=policy, language="zh") == 0
    assert capsys.readouterr().out.startswith("验证通过。\n")
    assert evidence_verify(tmp_path / "true") == 3
    assert evidence_verify(tmp_path / "broken", policy_file=policy) == 1
    assert evidence_verify(tmp_path / "nowhere", policy_file=policy) == 1
    capsys.readouterr()
    assert evidence_verify(tmp_path / "reworded", policy_file=policy) == 0
    assert "contract.txt is not worded" in capsys.readouterr().err
