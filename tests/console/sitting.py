"""Somebody who sits at a console with a browser, and what the browser complained of meanwhile."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from playwright.sync_api import Browser, BrowserContext, Page, expect
from town import Town

LOCALES: Final = {"en": "en-GB", "zh": "zh-CN"}

# What a person would look for, in both languages: the tests read the pages, not the code.
WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "sign in": "Sign in",
        "token": "Owner's token",
        "sign out": "Sign out",
        "waiting": "Waiting for me",
        "decide": "Decide",
        "approve": "Approve and sign",
        "counter": "Offer other terms…",
        "send": "Send these terms",
        "the number of uses": "the number of uses",
        "changed": "changed",
        "refuse": "Refuse…",
        "refuse it": "Refuse it",
        "filed": "signed and filed",
        "contracts": "Contracts",
        "stop": "Stop this contract…",
        "agreement": "by agreement",
        "breach": "for breach",
        "stop it": "Stop it now",
        "ended": "ended",
        "usable": "What I may use",
        "left": "{left} of {limit} uses are left",
        "may": "May I?",
        "find": "Find products",
        "look for": "Words, in Chinese or English",
        "grade": "Grade",
        "find it": "Find",
        "nothing": "Nothing on offer answers to that",
        "purpose": "Purpose",
        "ask": "Ask",
        "yes": "Yes, you may",
        "no": "No, you may not",
        "uses": "Uses and proof",
        "receipt": "Receipt and records",
        "agreed": "both sides agree",
        "ask provider": "Ask the provider for its records",
        "witnessed": "witnessed",
        "download": "Download the evidence",
        "members": "Members",
        "admit": "Admit…",
        "admit it": "Admit it",
        "member": "member",
        "suspend": "Suspend…",
        "suspend it": "Suspend it",
        "suspended": "suspended",
        "resume": "Let it take part again…",
        "resume it": "Let it take part",
        "why": "Why?",
        "invite": "Invite an organisation…",
        "consumer": "consumer",
        "make": "Make the invitation",
        "skip": "Skip to the content",
        "products": "What I offer",
        "withdraw": "Withdraw this product…",
        "withdraw it": "Withdraw it",
        "supervision": "Supervision",
        "order": "Order a stop…",
        "reason": "Why",
        "order it": "Order the stop now",
        "acknowledged": "has acknowledged it",
        "ledger": "The ledger",
        "read again": "Read every stored entry again",
        "transfers": "Transfers",
        "look or change": "Look or change",
        "shut": "Shut it for now…",
        "shut it": "Shut it now",
        "is shut": "shut for now",
        "open": "Open it again…",
        "open it": "Open it now",
        "is open": "open",
        "stop transfer": "Stop it for good…",
        "stop transfer now": "Stop it for good now",
        "stopped": "stopped",
        "say why": "Say why",
        "sign": "Sign this contract",
        "algorithm": "Algorithm",
        "signatures": "Signatures that are asked of me",
        "ask for": "Ask for other terms…",
        "ask for it": "Ask for these terms",
        "the time of use": "the time of use",
        "the purpose of use": "the purpose of use",
        "whole number": "A whole number of at least 1 is expected here.",
        "no day": "This is no day and no time.",
        "requested": "requested",
        "more": "More",
        "earlier": "Earlier ones",
        "planes": "Data planes",
        "data plane": "data plane",
        "no plane": "No plane of another product is registered here.",
        "withdrawn": "no longer on offer",
        "refused for": "{problem}",
    },
    "zh": {
        "sign in": "登录",
        "token": "所有者令牌",
        "sign out": "退出登录",
        "waiting": "待我处理",
        "decide": "处理",
        "approve": "同意并签署",
        "counter": "提出其他条款…",
        "send": "发出这些条款",
        "the number of uses": "使用次数",
        "changed": "有变化",
        "refuse": "拒绝…",
        "refuse it": "拒绝",
        "filed": "已签署并备案",
        "contracts": "合约",
        "stop": "终止此合约…",
        "agreement": "协商终止",
        "breach": "因违约终止",
        "stop it": "立即终止",
        "ended": "已终止",
        "usable": "我可使用的",
        "left": "剩余 {left} 次，共 {limit} 次",
        "may": "可否使用？",
        "find": "查找产品",
        "look for": "关键词（中文或英文）",
        "grade": "分级",
        "find it": "查找",
        "nothing": "没有符合条件的产品",
        "purpose": "使用目的",
        "ask": "询问",
        "yes": "可以使用",
        "no": "不可使用",
        "uses": "使用与证明",
        "receipt": "凭证与记录",
        "agreed": "双方一致",
        "ask provider": "向提供方索取记录",
        "witnessed": "已见证",
        "download": "下载证据包",
        "members": "成员",
        "admit": "准入…",
        "admit it": "准入",
        "member": "正式成员",
        "suspend": "暂停…",
        "suspend it": "暂停",
        "suspended": "已暂停",
        "resume": "恢复…",
        "resume it": "恢复",
        "why": "原因",
        "invite": "邀请机构…",
        "consumer": "使用方",
        "make": "生成邀请",
        "skip": "跳到正文",
        "products": "我提供的",
        "withdraw": "下架此产品…",
        "withdraw it": "下架",
        "supervision": "监管",
        "order": "命令停止…",
        "reason": "原因",
        "order it": "立即命令停止",
        "acknowledged": "已确认收到",
        "ledger": "存证账本",
        "read again": "重新核读全部条目",
        "transfers": "传输",
        "look or change": "查看或更改",
        "shut": "暂时关闭…",
        "shut it": "立即关闭",
        "is shut": "暂时关闭",
        "open": "重新开启…",
        "open it": "立即开启",
        "is open": "进行中",
        "stop transfer": "彻底停止…",
        "stop transfer now": "立即彻底停止",
        "stopped": "已停止",
        "say why": "请说明原因",
        "sign": "签署此合约",
        "algorithm": "算法",
        "signatures": "请我签署的合约",
        "ask for": "请求其他条款…",
        "ask for it": "请求这些条款",
        "the time of use": "使用时间",
        "the purpose of use": "使用目的",
        "whole number": "此处须填写不小于 1 的整数。",
        "no day": "此处不是有效的日期或时间。",
        "requested": "已请求",
        "more": "下一页",
        "earlier": "上一页",
        "planes": "数据面",
        "data plane": "数据面",
        "no plane": "此处未登记其他产品的控制面或数据面。",
        "withdrawn": "已不再提供",
        "refused for": "第1条许可·第1项条件：要求使用次数不超过1；实际为2",
    },
}


@dataclass
class Sitting:
    """One browser at the console of one node. Leaving it fails where the browser has complained."""

    browser: Browser
    town: Town
    name: str
    language: str
    settings: dict[str, Any] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    context: BrowserContext = field(init=False)
    page: Page = field(init=False)

    def __enter__(self) -> Self:
        self.context = self.browser.new_context(locale=LOCALES[self.language], **self.settings)
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.context.close()
        if error is None:
            assert self.complaints == []

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def words(self, key: str, **values: object) -> str:
        return WORDS[self.language][key].format(**values)

    def address(self, *parts: str) -> str:
        way = "/".join(["/console", self.language, *(quote(p, safe="") for p in parts)])
        return f"http://{self.town.nodes[self.name].owner}{way}"

    def open(self, *parts: str) -> Page:
        """Look at a page; gives it. The first time, sign in on the way."""
        self.page.goto(self.address(*parts))
        if "/sign-in" in self.page.url:
            self.sign_in()
            self.page.wait_for_url(lambda url: "/sign-in" not in url)
        return self.page

    def sign_in(self, token: str | None = None) -> None:
        self.page.get_by_label(self.words("token")).fill(token or self.town.token(self.name))
        self.page.get_by_role("button", name=self.words("sign in")).click()

    def go(self, section: str) -> None:
        """Choose a section of the navigation."""
        self.page.get_by_role("navigation").get_by_role("link", name=self.words(section)).click()

    def follow(self, key: str) -> None:
        self.page.get_by_role("link", name=self.words(key)).first.click()

    def press(self, key: str) -> None:
        self.page.get_by_role("main").get_by_role("button", name=self.words(key), exact=True).click()

    def sees(self, text: str) -> None:
        """The page comes to show this text, by itself if need be."""
        expect(self.page.get_by_role("main").get_by_text(text).first).to_be_visible(timeout=30_000)
