"""Random questions in SQL, most of them near the border of the grammar; and the tables they are asked of."""

from hypothesis import strategies as st

COLUMNS = ("person", "card", "arm", "sex", "site", "age", "visited", "cd4", "dose", "cost", "lonely", "name")
_SUMS = (
    "person, arm, sex, site, age, visited, sum(cd4) cd4, sum(dose) dose, sum(cost) cost, count(lonely) lonely"
)
_NUMBERS = st.sampled_from(["arm", "age", "1", "2", "61", "0", "1.5"])
_TEXTS = st.sampled_from(["sex", "site", "'rare'", "'f'", "'9'", "lower(site)", "substr(site, 1, 1)"])
_ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "%"])
_COMPARED = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


def _numbers() -> st.SearchStrategy[str]:
    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("({} {} {})".format, inner, _ARITHMETIC, inner),
            st.builds("floor({})".format, inner),
            st.builds("try_cast({} as bigint)".format, inner | _TEXTS),
            st.builds("coalesce({}, {})".format, inner, inner),
            st.builds("nullif({}, {})".format, inner, inner),
            st.builds("case when {} then {} else {} end".format, _simple_tests(), inner, inner),
            st.sampled_from(["year(visited)", "extract(month from visited)", "length(site)"]),
        )

    return st.recursive(_NUMBERS, grow, max_leaves=4)


def _simple_tests() -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{} {} {}".format, _NUMBERS, _COMPARED, _NUMBERS),
        st.builds("{} {} {}".format, _TEXTS, _COMPARED, _TEXTS),
        st.sampled_from(["visited >= '2026-03-01'", "site is null", "site like '%a%'", "age in (60, 61)"]),
    )


def _tests() -> st.SearchStrategy[str]:
    compared = st.builds("{} {} {}".format, _numbers(), _COMPARED, _numbers())
    return st.recursive(
        st.one_of(_simple_tests(), compared),
        lambda inner: st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("not ({})".format, inner),
        ),
        max_leaves=3,
    )


def _keys() -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(["arm", "sex", "site", "age", "visited", "date_trunc('month', visited)"]),
        _numbers(),
    )


def _aggregates() -> st.SearchStrategy[str]:
    measure = st.sampled_from(["cd4", "dose", "cost", "lonely"])
    linear = st.one_of(
        measure,
        st.builds("{} + {}".format, measure, measure),
        st.builds("2 * {} - {}".format, measure, measure),
        st.builds("{} - 3".format, measure),
    )
    return st.one_of(
        st.sampled_from(["count(*)", "count(distinct person)"]),
        st.builds("count({})".format, measure),
        st.builds("stddev({})".format, measure),
        st.builds("var_pop({})".format, measure),
        st.builds("sum({})".format, linear),
        st.builds("avg({})".format, linear),
    )


def _after(aggregate: str) -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            aggregate, f"{aggregate} / count(*)", f"round({aggregate}, 1)", f"coalesce({aggregate}, 0)",
            f"1 / ({aggregate} - 1)", f"rank() over (order by {aggregate})", f"{aggregate} * {aggregate}",
            f"sum({aggregate}) over ()", f"case when {aggregate} > 100 then 1 end",
        ]
    )  # fmt: skip


def _rows() -> st.SearchStrategy[str]:
    summed = "(select {} from trial group by person, arm, sex, site, age, visited)"
    return st.sampled_from(
        [
            "trial",
            "(select * from trial where age > 30)",
            "(select person, arm, sex, site, age, visited, cd4, dose, cost, lonely from trial)",
            summed.replace("{}", _SUMS),
        ]
    )


@st.composite
def groupings(draw: st.DrawFn) -> str:
    """One grouping: keys, aggregates, filters before and after."""
    keys = draw(st.lists(_keys(), max_size=2, unique=True))
    items = [draw(_aggregates().flatmap(_after)) for _ in range(draw(st.integers(1, 2)))]
    where = draw(st.one_of(st.just(""), _tests().map(" where {}".format)))
    having = draw(st.one_of(st.just(""), _aggregates().map(" having {} > 1".format)))
    group = f" group by {', '.join(str(i + 1) for i in range(len(keys)))}" if keys else ""
    listed = ", ".join([*keys, *items])
    tail = draw(st.sampled_from(["", " order by 1 desc", " order by 1 limit 1", " limit 2 offset 1"]))
    return " ".join(["select", listed, f"from {draw(_rows())}{where}{group}{having}{tail}"])


def _nested() -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("select count(*) from ({})".format, groupings()),
        st.builds("with g as ({}) select * from g".format, groupings()),
        st.builds("with g as ({}) select count(*) n from g a cross join g b".format, groupings()),
        st.builds("select * from ({}) union all select * from ({})".format, groupings(), groupings()),
    )


def questions() -> st.SearchStrategy[str]:
    """Questions, of which most are admitted."""
    return st.one_of(groupings(), _nested())


def fragments() -> st.SearchStrategy[str]:
    """Words of SQL thrown together."""
    words = st.sampled_from(
        [
            "select", "from", "trial", "where", "group by", "having", "order by", "limit", "union all",
            "with", "as", "join", "on", "using", "case", "when", "then", "end", "sum(", "count(*)", "over",
            "(", ")", ",", "=", "<",
            "*", "'", '"', "--", "/*", "*/", ";", "null", "not", "in", "between", "and", "or",
            "exists", "lateral", "unnest", "values", "1", "'x'", "::", "cast(", "{", "}", "[", "]", "->", "?",
            "$1", "@", "\\", "\x00", "é", "distinct", "filter", "all", "rollup", "pivot", "qualify", "sample",
            *COLUMNS,
        ]
    )  # fmt: skip
    return st.lists(words, max_size=25).map(" ".join)
