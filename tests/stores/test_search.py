"""What a search of the catalogue finds, on whichever database it is asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from entrepot.catalogue import (
    Product,
    Search,
    list_product,
    parse_dataset,
    restock,
    search,
    withdraw_product,
)
from entrepot.journal import Journal
from entrepot.policy import Policy, Rule
from entrepot.values import Did, Grade, KindOfUse, MalformedError, ProductId, canonical, sha256

BUREAU, HOSPITAL, MAKER = (Did(f"did:web:{n}.example") for n in ("bureau", "hospital", "maker"))
DAY: Final = datetime(2026, 11, 1, tzinfo=UTC)

ENTRIES: Final = (
    ("weather", "上海市气象观测日值", "每日气温、降水和风速，2012 年至 2015 年。", ("气象", "上海")),
    ("temps", "Hourly temperatures", "Observed air temperature, one airport, 2010.", ("weather",)),
    ("air", "北京细颗粒物逐时浓度", "PM2.5 与气象要素，逐时。", ("空气质量", "北京")),
    ("cars", "车辆测试：油耗与功率", "Fuel consumption, power and weight of cars.", ("汽车",)),
    ("steel", "钢铁厂用电记录", "十五分钟一次的用电量，一座钢铁厂一年。", ("能源",)),
    ("pump", "Pump test bench with faults", "Sensor readings of a pump, with marked failures.", ()),
    ("trial", "Clinical trial of four HIV treatments", "CD4 counts and outcome of patients.", ("trial",)),
    ("claims", "城镇职工医保结算明细", "按次结算的医疗费用，已去标识。", ("医保",)),
    ("insurance", "Health insurance experiment", "Use of medical services by plan.", ("insurance",)),
    ("breast", "Breast cancer diagnosis", "Thirty measurements of each tumour.", ()),
    ("houses", "主要城市住宅价格指数", "七十个大中城市新建商品住宅。", ("房地产",)),
    ("vegetables", "批发市场蔬菜价格日报", "主要批发市场的成交均价。", ("农产品",)),
    ("corn", "Corn yield by state and year", "Survey figures of the harvest.", ("agriculture",)),
    ("judgments", "商事案件裁判文书", "已公开的一审文书，附案由。", ("法律",)),
    ("flights", "Flight delays", "Delay, distance and time of domestic flights.", ("transport",)),
    ("metro", "地铁站点客流", "分站点的进出站人数，逐时。", ("交通",)),
    ("rates", "人民币汇率中间价", "每日中间价。", ("金融",)),
    ("loans", "Loan applications", "Borrowers and bureau columns of a lender.", ("credit",)),
    ("register", "企业注册登记信息", "名称、代码、行业和成立日期。", ("工商",)),
    ("tax", "Tax receipts of cities", "Annual statistics by kind of tax.", ()),
    ("images", "眼底影像", "糖尿病患者的眼底照片，附分级。", ("医学影像",)),
    ("satellite", "Satellite images of crops", "Remote sensing of wheat fields.", ("imagery",)),
    ("carbon", "碳排放核算数据", "重点企业年度排放量。", ("环境",)),
    ("pedestrians", "Pedestrian counts", "Hourly counts of people in the city centre.", ()),
)  # fmt: skip

QUERIES: Final = (
    ("每日天气", "weather"), ("weather", "temps"), ("气温", "weather"), ("hourly temperature", "temps"),
    ("空气质量", "air"), ("PM2.5", "air"), ("air quality in Beijing", "air"), ("汽车油耗", "cars"),
    ("fuel consumption of vehicles", "cars"), ("用电", "steel"), ("steel electricity", "steel"),
    ("故障", "pump"), ("sensor faults", "pump"), ("艾滋病临床试验", "trial"), ("clinical trials", "trial"),
    ("医保", "claims"), ("health insurance", "insurance"), ("癌症", "breast"), ("房价", "houses"),
    ("house prices", "houses"), ("菜价", "vegetables"), ("玉米产量", "corn"), ("判决", "judgments"),
    ("court decisions", "judgments"), ("航班延误", "flights"), ("地铁客流", "metro"),
    ("exchange rate", "rates"), ("贷款", "loans"), ("company register", "register"), ("税收", "tax"),
    ("糖尿病影像", "images"), ("小麦遥感", "satellite"), ("carbon emissions", "carbon"),
    ("ＰＥＤＥＳＴＲＩＡＮ", "pedestrians"), ("上海市的天气", "weather"), ("车辆", "cars"),
)  # fmt: skip


def entry(name: str, number: int = 0, **changed: Any) -> Product:
    title, description, keywords = next((e[1:] for e in ENTRIES if e[0] == name), (name, "", ()))
    made = Product(
        id=ProductId(f"urn:product:{name}"),
        version=1,
        title=title,
        description=description,
        keywords=keywords,
        provider=BUREAU,
        grade=Grade.L2,
        rights="urn:licence",
        kinds=frozenset({KindOfUse.DELIVERY}),
        policy=Policy(permissions=(Rule("use"),)),
        media_type="text/csv",
        size=10,
        artefact=sha256(name.encode()),
        published_at=DAY + timedelta(days=number),
    )
    return replace(made, **changed)


def put(journal: Journal, *products: Product) -> None:
    journal.write_now(lambda tx: [list_product(tx, p) for p in products])


def ids(journal: Journal, wanted: Search) -> list[str]:
    found = journal.read_now(lambda c: search(c, wanted))
    products = [parse_dataset(canonical.decode(d))[0] for d in found.datasets]
    return [p.id.removeprefix("urn:product:") for p in products]


class SearchContract:
    """What every database finds. Subclasses provide `journal`."""

    @pytest.fixture
    def full(self, journal: Journal) -> Journal:
        put(journal, *(entry(name, i) for i, (name, *_) in enumerate(ENTRIES)))
        return journal

    def test_what_a_person_would_mean_comes_first(self, full: Journal) -> None:
        """Somebody who asks in Chinese or English, in a word or a phrase, finds it without a second try."""
        found = {words: ids(full, Search(words))[:1] for words, _ in QUERIES}

        assert found == {words: [first] for words, first in QUERIES}

    def test_every_word_must_be_found_where_anything_has_them_all(self, full: Journal) -> None:
        """A second word narrows a search down; it never makes it longer."""
        assert ids(full, Search("逐时 北京")) == ["air"]
        assert set(ids(full, Search("逐时"))) >= {"air", "metro", "temps"}

    def test_a_title_counts_more_than_a_description(self, journal: Journal) -> None:
        """Whoever wrote the word into its title is about it; others only mention it."""
        put(
            journal,
            entry("mentions", description="Frost and frost and frost again, among other things."),
            entry("named", title="Frost days", description="Counts."),
        )

        assert ids(journal, Search("frost")) == ["named", "mentions"]

    def test_nothing_is_found_that_is_not_there(self, full: Journal) -> None:
        """An empty answer is an answer; quotes and operators of the database are words like any other."""
        for words in ("量子纠缠", "zebra", '"', "' | '", "NEAR(a b)", "!!", "蟒", "title:x"):
            assert ids(full, Search(words)) == []

    def test_no_mark_is_an_order_to_the_database(self, full: Journal) -> None:
        """What a stranger types never becomes syntax."""
        for words in ('weather"', "weather OR", "weather & !rain", "(weather", "weather'"):
            assert "weather" in ids(full, Search(words))

    def test_filters_exclude_what_lies_outside(self, journal: Journal) -> None:
        """Grade, provider, kind, keyword, media type and time: each alone, and together with words."""
        put(
            journal,
            entry("a", 0, grade=Grade.L1, keywords=("Weather", "Daily"), kinds=frozenset({KindOfUse.API})),
            entry("b", 1, grade=Grade.L2, media_type="application/json", keywords=("weather",)),
            entry("c", 2, grade=Grade.L4, provider=HOSPITAL, kinds=frozenset({KindOfUse.QUERY})),
            entry("d", 3, media_type="text/plain"),
        )
        cases = {
            "a": Search(grades=frozenset({Grade.L1})),
            "ca": Search(grades=frozenset({Grade.L1, Grade.L4})),
            "c": Search(provider=HOSPITAL),
            "ba": Search(keywords=("WEATHER",)),
            "a ": Search(keywords=("weather", "daily")),
            "b": Search(media_type="application/json"),
            "dca": Search(media_type="text/*"),
            "c ": Search(kinds=frozenset({KindOfUse.QUERY})),
            "ca ": Search(kinds=frozenset({KindOfUse.QUERY, KindOfUse.API})),
            "dc": Search(since=DAY + timedelta(days=2)),
            "ba ": Search(until=DAY + timedelta(days=2)),
            "b ": Search("weather", media_type="application/json"),
            "": Search("weather", provider=HOSPITAL),
        }

        assert {k: "".join(ids(journal, s)) for k, s in cases.items()} == {k: k.strip() for k in cases}

    def test_pages_hold_every_product_once(self, full: Journal) -> None:
        """Whoever turns the pages to the end has seen everything that was found, in one order."""
        for words in ("", "的 数据 hourly temperature weather"):
            whole = ids(full, Search(words, limit=100))
            turned, at = [], 0
            while True:
                found = full.read_now(lambda c, w=words, o=at: search(c, Search(w, offset=o, limit=5)))
                assert found.total == len(whole)
                turned += ids(full, Search(words, offset=at, limit=5))
                if found.next_offset is None:
                    break
                at = found.next_offset
            assert turned == whole

    def test_only_what_is_on_offer_is_found_and_in_its_newest_words(self, full: Journal) -> None:
        """A withdrawn product, or what an older version said, is not shown to anybody."""
        put(full, entry("metro", 30, version=2, title="轨道交通客运量", description=""))
        full.write_now(lambda tx: withdraw_product(tx, ProductId("urn:product:rates")))

        assert ids(full, Search("站点")) == []
        assert ids(full, Search("客运量")) == ["metro"]
        assert ids(full, Search("汇率")) == []

    def test_what_stands_on_the_shelf_already_is_left_there(self, full: Journal) -> None:
        """A start of a node does not write ten thousand products anew."""
        assert full.write_now(restock) == 0

    def test_a_shelf_of_another_release_is_made_anew(self, full: Journal) -> None:
        """After an upgrade everything is found again, in batches."""
        with_old = "UPDATE shelf SET made_by = 'another'"
        full.write_now(lambda tx: tx.connection.exec_driver_sql(with_old))
        full.write_now(lambda tx: tx.connection.exec_driver_sql("DELETE FROM shelf_tag"))

        assert [full.write_now(lambda tx: restock(tx, 20)) for _ in range(3)] == [20, 4, 0]
        assert ids(full, Search(keywords=("气象",))) == ["weather"]

    def test_long_texts_are_found_to_their_end(self, journal: Journal) -> None:
        """The last word of ten thousand characters is as good as the first."""
        put(journal, entry("long", description="数" * 9_000 + "，鲸鱼。 " + "x" * 500 + " whale"))
        put(journal, entry("keyword", keywords=("k" * 10_000,)))

        assert ids(journal, Search("鲸鱼")) == ids(journal, Search("whales")) == ["long"]
        assert ids(journal, Search(keywords=("k" * 10_000,))) == ["keyword"]

    @pytest.mark.parametrize(
        "wanted",
        [
            Search("x" * 501),
            Search(limit=0),
            Search(limit=101),
            Search(offset=-1),
            Search(keywords=("k",) * 101),
        ],
    )
    def test_what_would_cost_too_much_is_refused(self, journal: Journal, wanted: Search) -> None:
        """A stranger's question is bounded before it is asked."""
        with pytest.raises(MalformedError):
            journal.read_now(lambda c: search(c, wanted))


class TestSqliteSearch(SearchContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestPostgresqlSearch(SearchContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
