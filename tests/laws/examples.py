"""For each operation the tables and the values that the laws try it on.

The mapping there and back restores every old value here; lossy ones are counted before dual-write, not promised.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from workers.engine.operation import Operation
from workers.engine.operations.split_column import Part, SplitColumn
from workers.engine.vocabulary import Column

Values = dict[str, str | None]
KEYS = range(1, 10)
"""Enough for four batches, few enough that a deleted key is soon inserted again."""


@dataclass(frozen=True)
class Sample:
    """Fixed values, for what is tried at every place instead of at random."""

    seed: dict[int, Values]
    """Rows at the start."""
    old: Values
    new: Values
    parts: tuple[Values, Values]
    """One column of the new side each, and not the same."""


@dataclass(frozen=True, repr=False, eq=False)
class Example:
    name: str
    operation: Operation
    columns: tuple[Column, ...]
    """Of the table at the start, besides its key `id bigint`."""
    old_rows: st.SearchStrategy[Values]
    """What the old application inserts; a column that it does not name takes its default."""
    old_changes: st.SearchStrategy[Values]
    """What the old application updates."""
    new_rows: st.SearchStrategy[Values]
    """What the new application inserts: not only NULLs, which would write nothing."""
    new_changes: st.SearchStrategy[Values]
    sample: Sample

    def rows(self) -> st.SearchStrategy[dict[int, Values]]:
        """The table at the start, by key."""
        return st.dictionaries(st.sampled_from(KEYS), self.old_rows, max_size=8)

    def __str__(self) -> str:
        return f"{self.operation.kind}: {self.name}"

    def __repr__(self) -> str:
        return f"<{self}>"


# Blanks before, after and between, quotes, what formats and patterns read, characters of one to four bytes.
WORDS = st.sampled_from(
    ["", "Ann", "ann", "Lee", "de la Cruz", "O'Brien", "100%", "a\\b", "Åsa", "李", "🦉", "Ann ", " "]
)
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


def _maybe(values: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | values


def _split(
    name: str,
    column: Column,
    *,
    first: str = "first_name",
    last: str = "last_name",
    there_already: tuple[Column, ...] = (),
) -> Example:
    old, first_sql, last_sql = (f'"{name}"' for name in (column.name, first, last))
    operation = SplitColumn(
        schema="public",
        table_name="users",
        column=column.name,
        parts=(
            Part(first, "text", f"split_part({old}, ' ', 1)"),
            Part(last, "text", f"case when strpos({old}, ' ') > 0 then substr({old}, strpos({old}, ' ') + 1) end"),
        ),
        join=f"case when {last_sql} is null then {first_sql} else {first_sql} || ' ' || {last_sql} end",
    )
    # A new application keeps what the old column demands: there is no first name without NOT NULL's consent.
    old_values, firsts = (_maybe(NAMES), _maybe(WORDS)) if column.nullable else (NAMES, WORDS)
    given_old = st.fixed_dictionaries({column.name: old_values})
    return Example(
        name,
        operation,
        (column, *there_already),
        old_rows=given_old if column.default is None else given_old | st.just({}),
        old_changes=given_old,
        new_rows=st.fixed_dictionaries({first: firsts}, optional={last: _maybe(WORDS)}).filter(_has_a_value),
        new_changes=st.fixed_dictionaries({}, optional={first: firsts, last: _maybe(WORDS)}).filter(bool),
        sample=Sample(
            seed={key: {column.name: f"Ann {key} Lee"} for key in (1, 3, 4, 6, 8)},
            old={column.name: "Zoë de la Cruz"},
            new={first: "Mary Ann", last: "Smith"},
            parts=({first: "Bo"}, {last: "Kim"}),
        ),
    )


def _has_a_value(values: Values) -> bool:
    return any(value is not None for value in values.values())


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "split_column": (
        _split("a nullable column", Column("name", "text")),
        _split("a NOT NULL column", Column("name", "text", nullable=False)),
        _split("a NOT NULL column with a default", Column("name", "text", nullable=False, default="''")),
        _split(
            "a new column that is there already", Column("name", "text"), there_already=(Column("first_name", "text"),)
        ),
        _split(
            "names in quotes",
            Column("Full Name", "text", default="'No One'"),
            first="First",
            last='la"st'.replace('"', "-"),
        ),
    ),
}
"""By the operation's kind; every registered one has at least one."""
