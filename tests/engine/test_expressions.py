"""The mapping language: what it takes, what it refuses and where, what its Python twin gives.

`TWIN_CASES` is run on real engines as well, so that twin and rendering cannot drift apart.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.expression_cases import TWIN_CASES, TwinCase
from workers.engine.errors import ExpressionRefused, Unsupported
from workers.engine.expressions import Expression, parse

FIRST = "split_part(name, ' ', 1)"
LAST = "case when strpos(name, ' ') > 0 then substr(name, strpos(name, ' ') + 1) end"
JOIN = "case when last_name is null then first_name else first_name || ' ' || last_name end"


def an_expression(text: str, *columns: str) -> Expression:
    return parse(text, columns=columns or ("a", "b"))


def a_refusal(text: str, *columns: str) -> ExpressionRefused:
    with pytest.raises(ExpressionRefused) as refused:
        parse(text, columns=columns or ("a", "b"), field="join")
    return refused.value


def postgresql(text: str, *columns: str) -> str:
    return an_expression(text, *columns).render("postgresql", lambda column: f"<{column}>")


# What it gives.


@pytest.mark.parametrize("case", TWIN_CASES, ids=str)
def test_the_twin_gives_what_sql_gives(case: TwinCase) -> None:
    assert an_expression(case.text, *case.row).evaluate(case.row) == case.value


@given(st.text() | st.none())
@example("Mary Ann Smith")
@example("Ann ")
@example(" ")
@example("")
def test_the_mapping_of_the_demo_restores_every_old_value(name: str | None) -> None:
    row = {"name": name}
    parts = {"first_name": parse(FIRST, columns=["name"]), "last_name": parse(LAST, columns=["name"])}

    new = {column: expression.evaluate(row) for column, expression in parts.items()}

    assert parse(JOIN, columns=list(parts)).evaluate(new) == name  # type: ignore[arg-type]


def test_an_expression_tells_what_it_reads() -> None:
    expression = an_expression(JOIN, "first_name", "last_name", "name")

    assert (expression.text, expression.columns) == (JOIN, frozenset({"first_name", "last_name"}))


@pytest.mark.parametrize(("text", "kind"), [("a", "text"), ("length(a)", "int"), ("a = b", "bool")])
def test_an_expression_tells_its_kind(text: str, kind: str) -> None:
    assert an_expression(text).kind == kind


# Names.


@pytest.mark.parametrize("text", ["name", "NAME", '"name"', "Name"])
def test_a_name_without_quotes_is_folded_as_postgresql_does(text: str) -> None:
    assert an_expression(text, "name").columns == {"name"}


def test_a_name_in_quotes_is_taken_as_it_is() -> None:
    assert an_expression('"Full ""Name"""', 'Full "Name"').columns == {'Full "Name"'}


def test_a_name_that_needs_quotes_is_shown_with_them() -> None:
    assert '"Name"' in a_refusal("Name", "Name").remedy


def test_an_unknown_column_is_refused_with_the_known_ones() -> None:
    refusal = a_refusal("a || nickname")

    assert (refusal.position, refusal.remedy, refusal.field) == (5, "Use: a, b.", "join")


# What it refuses, and where.


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("   ", 0),
        ("a ||", 2),
        ("(a", 1),
        ("a)", 1),
        ("'a", None),
        ('"a', None),
        ("a; drop table users", 1),
        ("a;", 1),
        ("a, b", 1),
        ("(a, b)", 1),
        ("a b", 2),
        ("a as b", 5),
        ("'a' 'b'", 0),
        ("select a", 0),
        ("(select a)", 1),
        ("a || (select b)", 6),
        ("exists(select 1)", 7),
        ("*", 0),
        ("count(*)", 6),
        ("a -- b", 2),
        ("a /* b */ || b", 2),
        ("/* a */ a", 0),
        ("$1", 0),
        ("%s", 0),
        ("%(x)s", 0),
        (":x", 0),
        ("?", 0),
        ("@x", 0),
        ("max(a)", 0),
        ("row_number() over ()", 13),
        ("concat(distinct a)", 16),
        ("lower(a)", 0),
        ("a || upper(b)", 5),
        ("a || md5(b)", 5),
        ("now()", 0),
        ("current_date", 0),
        ("pg_catalog.length(a)", 0),
        ('"length"(a)', 0),
        ("users.a", 0),
        ("a::int", 0),
        ("cast(a as varchar(3))", 5),
        ("date '2020-01-01'", 5),
        ("E'a'", 0),
        ("$$a$$", 0),
        ("1.5", 0),
        ("1000001", 0),
        ("99999999999999999999999999", 0),
        ("1e3", 0),
        ("a in ('x')", 0),
        ("a like 'x'", 0),
        ("a ~ 'x'", 0),
        ("a is true", 0),
        ("a[1]", 0),
        ('a collate "C"', 0),
        ("if(a = b, a, b)", 3),
        ("a || 1", 5),
        ("a + 1", 0),
        ("not a", 4),
        ("a = 1", 4),
        ("a < b", 0),
        ("(a = b) = (a = b)", 1),
        ("a and b", 0),
        ("coalesce(a, 1)", 12),
        ("coalesce(a = b)", 9),
        ("(a = b)::text", 1),
        ("case when a then b end", 10),
        ("case when a = b then a else 1 end", 10),
        ("split_part(a, '', 1)", 14),
        ("split_part(a, ' ', 0)", 19),
        ("split_part(a, b, 1)", 14),
        ("split_part(a, ' ', length(b))", 19),
        ("split_part(a, ' ')", 0),
        ("substr(a, 1, -1)", 14),
        ("substr(a, 1, length(b))", 13),
        ("trim(a, b)", 8),
        ("concat_ws(a, b)", 10),
        ("concat_ws(null, b)", None),
        ("length(a) + length(a) + length(a)", 0),
        ("a\0", 1),
        ("a\ud800", 1),
    ],
    ids=repr,
)
def test_what_is_not_in_the_language_is_refused_where_it_stands(text: str, position: int | None) -> None:
    assert a_refusal(text).position == position


def test_an_unknown_function_is_refused_with_the_known_ones() -> None:
    assert "coalesce, concat, concat_ws, left, length" in a_refusal("md5(a)").remedy


def test_upper_and_lower_case_are_refused_because_of_the_locale() -> None:
    assert "locale" in a_refusal("lower(a)").fact


def test_aggregates_are_refused_because_a_mapping_sees_one_row() -> None:
    assert "one row" in a_refusal("max(a)").fact


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2_000 + "a",
        "(" * 100 + "a" + ")" * 100,
        "not " * 900 + "a is null",
        "- " * 1_900 + "1",
        "case " * 700,
        "length(" * 500 + "a" + ")" * 500,
        "a || " * 700 + "a",
        "a" * 4_001,
        "'" * 3_999,
        "[" * 1_000,
        "{" * 1_000,
        "trim(both from " * 200,
        "cast(" * 400 + "a",
    ],
    ids=lambda text: f"{text[:8]!r}...",
)
def test_a_hostile_text_is_refused_and_does_no_more(text: str) -> None:
    assert a_refusal(text).fact


# What stands between real expressions and nonsense: all that the parser knows, in any order.
_WORDS = (
    "a b name ' ( ) , || + - = <> < case when then else end is not null and or :: text cast as trim both from "
    "position in substring for left right coalesce nullif concat over distinct select * ; -- /* $1 %s . [ ] { "
    "lower interval date array row"
)
_PIECES = st.sampled_from([*_WORDS.split(), "'x'", "''", "' '", "1", "0", "-1", '"', "E'", "\\", "é", "🦉", "\t"])


@given(st.lists(_PIECES, max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_text_is_an_expression_or_is_refused_within_its_length(text: str) -> None:
    try:
        parse(text, columns=["a", "b"])
    except ExpressionRefused as refused:
        assert refused.position is None or 0 <= refused.position <= len(text)


# How PostgreSQL gets it.


def test_functions_are_named_with_their_schema_and_columns_are_read_as_exact_text() -> None:
    assert postgresql("split_part(a, ' ', 1)") == (
        "pg_catalog.split_part((<a>::pg_catalog.text COLLATE pg_catalog.\"C\"), ' ', 1)"
    )


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("'it''s'", "'it''s'"),
        ("'100%'", "'100%'"),
        (r"'a\b'", r"E'a\\b'"),
        (r"'\'''", r"E'\\'''"),
        ("-1", "(-1)"),
        ("left('ab', 1)", "pg_catalog.\"left\"('ab', 1)"),
        ("trim('a')", "pg_catalog.btrim('a')"),
        ("coalesce('a', 'b')", "COALESCE('a', 'b')"),
        ("length('a')::text", "(pg_catalog.length('a'))::pg_catalog.text"),
        ("case 'a' when 'b' then 'c' end", "CASE WHEN ('a' = 'b') THEN 'c' END"),
        ("not 'a' = 'b' and 'c' is not null", "((NOT ('a' = 'b')) AND ('c' IS NOT NULL))"),
    ],
)
def test_literals_and_words_are_spelled_for_postgresql(text: str, sql: str) -> None:
    assert postgresql(text) == sql


def test_an_engine_without_a_spelling_is_refused() -> None:
    with pytest.raises(Unsupported):
        an_expression("a").render("oracle", str)


# What it can give at most.


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("a", 10),
        ("b", None),
        ("'four'", 4),
        ("a || '-' || a", 21),
        ("a || b", None),
        ("split_part(a, ' ', 1)", 10),
        ("substr(a, 3)", 10),
        ("substr(b, 3, 5)", 5),
        ("left(b, 3)", 3),
        ("left(a, 30)", 10),
        ("left(b, -3)", None),
        ("right(a, 3)", 3),
        ("trim(a)", 10),
        ("replace(a, 'x', 'yyy')", 30),
        ("replace(a, 'xy', 'zzz')", 15),
        ("replace(a, 'xyz', 'z')", 10),
        ("replace(a, a, 'zzz')", 30),
        ("replace(a, 'x', b)", None),
        ("concat(a, a)", 20),
        ("concat_ws(', ', a, a, a)", 34),
        ("coalesce(a, 'a longer text')", 13),
        ("coalesce(b, a)", None),
        ("nullif(a, b)", 10),
        ("case when a = b then a else 'a longer text' end", 13),
        ("length(b)::text", 11),
        ("length(a)", None),
        ("null", 0),
    ],
)
def test_the_longest_text_follows_from_the_lengths_of_the_columns(text: str, longest: int | None) -> None:
    assert an_expression(text).longest({"a": 10, "b": None}) == longest


@pytest.mark.parametrize(
    ("text", "can_be_null"),
    [
        ("a", True),
        ("b", False),
        ("'x'", False),
        ("null", True),
        ("a || b", True),
        ("b || 'x'", False),
        ("split_part(b, ' ', 1)", False),
        ("concat(a, a)", False),
        ("concat_ws(' ', a)", False),
        ("coalesce(a, b)", False),
        ("coalesce(a, a)", True),
        ("nullif(b, 'x')", True),
        ("a is null", False),
        ("a = b", True),
        ("b = 'x' and not b = 'y'", False),
        ("case when b = 'x' then b end", True),
        ("case when a is null then b else 'x' end", False),
        ("case when a is null then a else 'x' end", True),
        ("(length(b) + 1)::text", False),
        ("(length(a) + 1)::text", True),
    ],
)
def test_whether_it_can_be_null_follows_from_the_columns_that_can(text: str, can_be_null: bool) -> None:
    assert an_expression(text).can_be_null({"a"}) is can_be_null


_TEXTS = st.none() | st.text("ab ", max_size=6)


@given(st.sampled_from(TWIN_CASES), st.data())
def test_what_it_promises_holds_for_every_row(case: TwinCase, data: st.DataObject) -> None:
    row = {column: data.draw(_TEXTS, label=column) for column in case.row}
    expression = an_expression(case.text, *row)

    value = expression.evaluate(row)

    nullable = {column for column, cell in row.items() if cell is None}
    longest = expression.longest({column: len(cell or "") for column, cell in row.items()})
    assert value is not None or expression.can_be_null(nullable)
    assert not isinstance(value, str) or longest is None or len(value) <= longest
