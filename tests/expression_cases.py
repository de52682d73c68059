"""What expressions of the mapping language give: the Python twin and every real engine are held to the same table."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TwinCase:
    text: str
    value: str | int | bool | None
    row: dict[str, str | None] = field(default_factory=lambda: {"a": "Ann Lee", "b": None})

    def __str__(self) -> str:
        return f"{self.text} over {list(self.row.values())}"


def _over(a: str | None, b: str | None, *cases: tuple[str, str | int | bool | None]) -> tuple[TwinCase, ...]:
    return tuple(TwinCase(text, value, {"a": a, "b": b}) for text, value in cases)


TWIN_CASES: tuple[TwinCase, ...] = (
    # Literals, columns, ||
    *_over(
        "Ann Lee",
        None,
        ("a", "Ann Lee"),
        ("b", None),
        ("'it''s'", "it's"),
        (r"'a\nb'", r"a\nb"),
        ("'100% %s'", "100% %s"),
        ("7", 7),
        ("-7", -7),
        ("null", None),
        ("a || '!'", "Ann Lee!"),
        ("a || b", None),
        ("a || b || 'x'", None),
    ),
    # Words of a text
    *_over(
        "Mary Ann Smith",
        "Ann ",
        ("split_part(a, ' ', 1)", "Mary"),
        ("split_part(a, ' ', 3)", "Smith"),
        ("split_part(a, ' ', 4)", ""),
        ("split_part(a, ' ', -1)", "Smith"),
        ("split_part(a, ' ', -3)", "Mary"),
        ("split_part(a, ' ', -4)", ""),
        ("split_part(a, 'nn S', 2)", "mith"),
        ("split_part(a, '-', 1)", "Mary Ann Smith"),
        ("split_part(a, '-', 2)", ""),
        ("split_part(a, '-', -1)", "Mary Ann Smith"),
        ("split_part(b, ' ', 2)", ""),
        ("split_part(b, 'nn', -1)", " "),
        ("strpos(a, 'Ann')", 6),
        ("strpos(a, 'ann')", 0),
        ("strpos(a, '')", 1),
        ("position(' ' in a)", 5),
        ("length(a)", 14),
        ("length(b)", 4),
        ("char_length(b)", 4),
    ),
    *_over("aaa", "", ("split_part(a, 'aa', 1)", ""), ("split_part(a, 'aa', 2)", "a"), ("split_part(b, 'a', 1)", "")),
    *_over("aaa", "", ("split_part(a, 'aa', -1)", "a"), ("split_part(b, 'a', -1)", ""), ("length(b)", 0)),
    # Parts by position
    *_over(
        "Åsa 🦉",
        "abc",
        ("length(a)", 5),
        ("substr(a, 5)", "🦉"),
        ("substr(a, 6)", ""),
        ("substr(a, 0)", "Åsa 🦉"),
        ("substr(a, -3)", "Åsa 🦉"),
        ("substr(b, 2, 1)", "b"),
        ("substr(b, 0, 2)", "a"),
        ("substr(b, -1, 3)", "a"),
        ("substr(b, -5, 3)", ""),
        ("substr(b, 2, 0)", ""),
        ("substr(b, 2, 100)", "bc"),
        ("substring(b from 2 for 1)", "b"),
        ("substring(b from 2)", "bc"),
        ("substring(b for 2)", "ab"),
        ("left(b, 2)", "ab"),
        ("left(b, 9)", "abc"),
        ("left(b, 0)", ""),
        ("left(b, -1)", "ab"),
        ("left(b, -9)", ""),
        ("right(b, 2)", "bc"),
        ("right(b, 9)", "abc"),
        ("right(b, 0)", ""),
        ("right(b, -1)", "bc"),
        ("right(b, -9)", ""),
        ("left(b, strpos(b, 'b') - 1)", "a"),
        ("left(b, strpos(b, 'x') - 1)", "ab"),
    ),
    # Blanks and other characters to drop
    *_over(
        "  x y ",
        "\tx\n",
        ("trim(a)", "x y"),
        ("ltrim(a)", "x y "),
        ("rtrim(a)", "  x y"),
        ("trim(b)", "\tx\n"),
        ("trim(both from a)", "x y"),
        ("trim(leading from a)", "x y "),
        ("trim(trailing ' ' from a)", "  x y"),
        ("trim(a, ' x')", "y"),
        ("trim(a, '')", "  x y "),
        ("btrim(a, ' y')", "x"),
        ("replace(a, ' ', '')", "xy"),
        ("replace(a, '', '-')", "  x y "),
        ("replace(a, 'x', 'xx')", "  xx y "),
        ("replace(a, 'X', '-')", "  x y "),
        ("replace(a, a, b)", "\tx\n"),
    ),
    # NULL
    *_over(
        "x",
        None,
        ("concat(a, b, a)", "xx"),
        ("concat(b)", ""),
        ("concat_ws('-', a, b, a)", "x-x"),
        ("concat_ws('-', b, b)", ""),
        ("concat_ws('-', a)", "x"),
        ("coalesce(b, a)", "x"),
        ("coalesce(b, b)", None),
        ("coalesce(length(b), 0)", 0),
        ("nullif(a, 'x')", None),
        ("nullif(a, 'y')", "x"),
        ("nullif(a, b)", "x"),
        ("nullif(b, a)", None),
        ("nullif(length(a), 1)", None),
        ("split_part(b, ' ', 1)", None),
        ("substr(b, 1)", None),
        ("replace(a, b, a)", None),
        ("length(b)", None),
        ("length(b) + 1", None),
        ("(length(b) + 1)::text", None),
        ("(length(a) + 1)::text", "2"),
        ("cast(length(a) - 5 as text)", "-4"),
        ("a::text", "x"),
    ),
    # Three-valued logic
    *_over(
        "x",
        None,
        ("a is null", False),
        ("b is null", True),
        ("b is not null", False),
        ("(a = b) is null", True),
        ("a = 'x'", True),
        ("a = 'X'", False),
        ("a = 'x '", False),
        ("a <> 'y'", True),
        ("a != 'x'", False),
        ("a = b", None),
        ("b = b", None),
        ("b <> b", None),
        ("not a = b", None),
        ("not a = 'x'", False),
        ("a = 'x' and a = b", None),
        ("a = 'y' and a = b", False),
        ("a = b and a = 'y'", False),
        ("a = 'x' or a = b", True),
        ("a = b or a = 'x'", True),
        ("a = 'y' or a = b", None),
        ("length(a) < 2", True),
        ("length(a) <= 1", True),
        ("length(a) > 1", False),
        ("length(a) >= 2", False),
        ("length(a) = 1", True),
        ("length(a) <> 1", False),
        ("length(b) > 1", None),
        ("1 + 2 - 4 = -1", True),
    ),
    # CASE
    *_over(
        "x",
        None,
        ("case when a = 'x' then 'one' when a is not null then 'two' end", "one"),
        ("case when a = 'y' then 'one' when a is not null then 'two' end", "two"),
        ("case when a = 'y' then 'one' end", None),
        ("case when a = b then 'one' else 'other' end", "other"),
        ("case a when 'y' then 'one' when 'x' then 'two' else 'other' end", "two"),
        ("case b when null then 'one' else 'other' end", "other"),
        ("case when b is null then null else a end", None),
        ("case when a = 'x' then length(a) else 0 end", 1),
    ),
    # The demo
    *_over(
        "Mary Ann Smith", None, ("case when strpos(a, ' ') > 0 then substr(a, strpos(a, ' ') + 1) end", "Ann Smith")
    ),
    *_over("Mary", None, ("case when strpos(a, ' ') > 0 then substr(a, strpos(a, ' ') + 1) end", None)),
    *_over("Mary ", None, ("case when strpos(a, ' ') > 0 then substr(a, strpos(a, ' ') + 1) end", "")),
    *_over("Ann", "Lee", ("case when b is null then a else a || ' ' || b end", "Ann Lee")),
    *_over("Ann", None, ("case when b is null then a else a || ' ' || b end", "Ann")),
    *_over("Ann", "", ("case when b is null then a else a || ' ' || b end", "Ann ")),
)
