"""What a verifier found, as a statement in Chinese or English.

The verdict is `verify`'s alone; this only puts its report into sentences for people, in the same order.
"""

from collections.abc import Mapping
from typing import Any, Final

from entrepot.oversight.verify import Report

_VERDICTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "verified": "VERIFIED.",
        "refused": "REFUSED: {why}.",
        "consistent, not trusted": "CONSISTENT, NOT TRUSTED: no policy was given.",
        "verified with objections": "VERIFIED WITH OBJECTIONS.",
    },
    "zh": {
        "verified": "验证通过。",
        "refused": "不予认可：{why}。",
        "consistent, not trusted": "自相一致，但不可信：未提供验证策略。",
        "verified with objections": "验证通过，但存在异议。",
    },
}
_OBJECTIONS: Final[Mapping[str, str]] = {
    "The contract was filed by one side alone, as it says.": "合约由一方单独备案，备案中已如实声明。",
    "The use was opened outside the time that the contract allows.": "使用的开始时间不在合约约定的期限内。",
    "That the use began before the contract's end is the provider's word alone.": (
        "使用开始于合约终止之前，仅有提供方一方之言。"
    ),
    "The use came on the ledger after it had been ended there, by entries ": (
        "使用上链之前，合约已在链上终止，见条目"
    ),
    "The provider's times run backwards.": "提供方记录的时间前后颠倒。",
    "A record claims a time after the witnesses had seen it.": "记录所称时间晚于见证时间。",
    "Provider and consumer differ on what was delivered.": "提供方与使用方对交付内容的记录不一致。",
}
_LINES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "log": "The log is {log}; its checkpoint counts {size} entries.",
        "witnessed": "All of this was on the log by {at}, says {by}.",
        "entries": "Entry {entry} was on the log by {there_by}: {op}, by {actor}.",
        "keys": "Key {key}, epoch {epoch}: bound {since}, until {end}.",
        "contract": "Contract {id}: {provider} lets {consumer} use {product}; in entry {entry}, signed by",
        "signed_with": "  {0}",
        "use": "Use {use}, by the parties' own word and clocks:",
        "records": "  {at}  {kind}: {how}{units}; in entry {entry}",
        "artefact": "  artefact {0}",
        "receipt": "The consumer's receipt: {receipt}.",
        "end": "What is not in the package cannot be seen from it: ask the log.",
    },
    "zh": {
        "log": "账本日志为{log}，其检查点含{size}个条目。",
        "witnessed": "以上全部内容不晚于{at}已在日志中，见证者：{by}。",
        "entries": "条目{entry}不晚于{there_by}已在日志中：{op}，行为人{actor}。",
        "keys": "密钥{key}，第{epoch}期：{since}起绑定，至{end}止。",
        "contract": "合约{id}：{provider}许可{consumer}使用{product}。备案于条目{entry}，签署密钥：",
        "signed_with": "  {0}",
        "use": "使用{use}，以下为各方自述及其自有时钟：",
        "records": "  {at}  {kind}：{how}{units}；见条目{entry}",
        "artefact": "  交付物{0}",
        "receipt": "使用方回执：{receipt}。",
        "end": "证据包未包含的内容无法由其得知，请查询日志。",
    },
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "genesis": "since the beginning of the ledger",
        "from": "from entry {0}",
        "until": "entry {0}",
        "now": "the checkpoint at least",
        "under way": "under way",
        "unit": ", {1} {0}",
    },
    "zh": {
        "genesis": "账本创设",
        "from": "条目{0}",
        "until": "条目{0}",
        "now": "检查点仍有效",
        "under way": "进行中",
        "unit": "，{0} {1}",
        "agreed": "一致",
        "differs": "不一致",
        "no receipt": "无回执",
        "opened": "开始",
        "interrupted": "中断",
        "resumed": "恢复",
        "closed": "结束",
        "receipt": "回执",
        "bytes": "字节",
        "rows": "行",
        "seconds": "秒",
        "uses": "次",
    },
}


def render_evidence_report(report: Report, language: str = "en") -> str:
    """The report as a statement; `language` is `en` or `zh`."""
    verdict = _VERDICTS[language][report.verdict].format(why=report.why)
    if report.verdict == "refused":
        return f"{verdict}\n"
    lines, words = _LINES[language], _WORDS[language]
    told = [verdict, *(_objection(text, language) for text in report.objections)]
    told += [lines["log"].format(log=report.log, size=report.size)]
    told += [lines["witnessed"].format(**each) for each in report.witnessed]
    told += [lines["entries"].format(**each) for each in report.entries if each["there_by"]]
    told += [lines["keys"].format(**each, **_held(each, words)) for each in report.keys]
    told += [lines["contract"].format(**report.contract, product=report.use["product"])]
    told += [lines["signed_with"].format(key) for key in report.contract["signed_with"]]
    told += [lines["use"].format(use=report.use["id"])]
    told += [lines["records"].format(**_record(each, words)) for each in report.records]
    artefacts = dict.fromkeys(each["artefact"] for each in report.records if each["artefact"])
    told += [lines["artefact"].format(name) for name in artefacts]
    told += [lines["receipt"].format(receipt=words.get(report.receipt, report.receipt)), lines["end"]]
    return "\n".join(told) + "\n"


def _objection(text: str, language: str) -> str:
    if language == "en":
        return text
    known = next(english for english in _OBJECTIONS if text.startswith(english))
    rest = text.removeprefix(known)
    return _OBJECTIONS[known] + (f"{rest[:-1]}。" if rest else "")


def _held(key: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, str]:
    since = words["genesis"] if key["from"] is None else words["from"].format(key["from"])
    end = words["now"] if key["until"] is None else words["until"].format(key["until"])
    return {"since": since, "end": end}


def _record(record: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    units = [(words.get(unit, unit), count) for unit, count in record["units"].items() if count]
    told = "".join(words["unit"].format(unit, count) for unit, count in units)
    how = record["outcome"] or words["under way"]
    return {**record, "kind": words.get(record["kind"], record["kind"]), "how": how, "units": told}
