"""Writes the trigger functions of a two-way sync, rule by rule as the architecture states them.

A function looks at which side changed, never at who writes. It has no exception block, which would cost a
subtransaction per row: mappings are total, and what could make a write fail is refused before dual-write.

One setting of the transaction, named after the sync, says `ours` for the engine's own writes; otherwise it notes
which sides this transaction has been counted for, since a sequence step per row would cost more than all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from workers.engine.adapters.postgresql.catalogue import TRIGGER_PREFIX
from workers.engine.adapters.postgresql.names import literal, qualified, quoted
from workers.engine.errors import Unsupported
from workers.engine.expressions import parse
from workers.engine.expressions.rendering import PostgresRendering
from workers.engine.vocabulary import Mapping, Side, Sync, TableName, TableShape

OURS = "ours"
"""The mark of a transaction whose writes the sync lets pass."""


def mark_setting(sync: Sync) -> str:
    return f"lockstep.{quoted(sync.name)}"


def function_name(name: str, event: str) -> str:
    return f"lockstep.{quoted(f'{name}_{event}')}"


def sequence_name(name: str, side: Side) -> str:
    """Counts the transactions in which applications wrote that side."""
    return f"lockstep.{quoted(f'{name}_{side}_writes')}"


def trigger_name(name: str, event: str) -> str:
    return f"{TRIGGER_PREFIX}{name.removeprefix('lockstep_')}_{event}"


EVENTS = ("insert", "update")


def start(sync: Sync, lead: Side, shape: TableShape) -> tuple[str, ...]:
    """Creating a trigger waits for every open transaction that wrote the table: none of them misses the sync."""
    sequences = (f"CREATE SEQUENCE IF NOT EXISTS {sequence_name(sync.name, side)}" for side in Side)
    return (*sequences, *turn(sync, lead, shape), *triggers(sync, shape))


def turn(sync: Sync, lead: Side, shape: TableShape) -> tuple[str, ...]:
    """Replace the functions in place; the table is not locked."""
    return insert_function(sync, lead, shape), update_function(sync, lead)


def stop(table: TableName, name: str) -> tuple[str, ...]:
    return (
        *(f"DROP TRIGGER IF EXISTS {quoted(trigger_name(name, event))} ON {qualified(table)}" for event in EVENTS),
        *(f"DROP FUNCTION IF EXISTS {function_name(name, event)}()" for event in EVENTS),
        *(f"DROP SEQUENCE IF EXISTS {sequence_name(name, side)}" for side in Side),
    )


def exact(value: str) -> str:
    """A text that equals another where its bytes do, whatever the column's collation says."""
    return f'({value}::text COLLATE "C")'


class ExactRendering(PostgresRendering):
    """The mapping language over values that are exact text already; the functions it is used in pin search_path."""

    def column(self, name: str) -> str:
        return self._reference(name)


@dataclass(frozen=True)
class Rules:
    """The conditions and assignments of one sync over records of a trigger, or over a table's own columns."""

    sync: Sync

    def value(self, column: str, record: str = "") -> str:
        """A column as exact text: under "C" two texts are equal where their bytes are."""
        return exact(f"{record}.{quoted(column)}" if record else quoted(column))

    def mappings(self, side: Side) -> tuple[Mapping, ...]:
        """How that side follows from the other."""
        return self.sync.ahead if side is Side.NEW else self.sync.back

    def columns(self, side: Side) -> tuple[str, ...]:
        return self.sync.new if side is Side.NEW else self.sync.old

    def derived(self, mapping: Mapping, side: Side, record: str = "") -> str:
        sources = self.columns(_other(side))
        expression = parse(mapping.expression, columns=sources, field=mapping.column)
        return expression.root.sql(ExactRendering(lambda column: self.value(column, record)))

    def follows(self, side: Side, record: str = "") -> str:
        """Whether that side derives from the other."""
        return _all(
            f"{self.value(mapping.column, record)} IS NOT DISTINCT FROM {self.derived(mapping, side, record)}"
            for mapping in self.mappings(side)
        )

    def in_step(self, record: str = "") -> str:
        return _any((self.follows(Side.NEW, record), self.follows(Side.OLD, record)))

    def changed(self, side: Side, earlier: Callable[[str], str]) -> str:
        """Whether NEW differs on that side from what `earlier` gives for a column."""
        return _any(f"{self.value(column, 'NEW')} IS DISTINCT FROM {earlier(column)}" for column in self.columns(side))

    def derive(self, side: Side) -> list[str]:
        """Statements that bring that side of NEW into step."""
        return [
            f"NEW.{quoted(mapping.column)} := {self.derived(mapping, side, 'NEW')};" for mapping in self.mappings(side)
        ]

    def overlay(self, side: Side) -> list[str]:
        """Statements that, on a row not in step, give what was not written of that side the leading side's value.

        Without it a partial write of the side that does not lead would spread its stale rest to the other side.
        """
        if len(self.columns(side)) == 1:
            return []
        kept = [
            f"IF {self.value(mapping.column, 'NEW')} IS NOT DISTINCT FROM {self.value(mapping.column, 'OLD')} THEN"
            f" NEW.{quoted(mapping.column)} := {self.derived(mapping, side, 'OLD')}; END IF;"
            for mapping in self.mappings(side)
        ]
        comment = "  -- What this statement did not write of a row not in step is stale."
        return [f"IF NOT {self.in_step('OLD')} THEN", comment, *_indented(kept), "END IF;"]


def insert_function(sync: Sync, lead: Side, shape: TableShape) -> str:
    """A column's default counts as not written: nobody can tell it from a value that was left out."""
    rules = Rules(sync)
    defaults = {column: _default(shape, column) for column in (*sync.old, *sync.new)}
    body = [
        *_opening(rules, lambda column: defaults[column]),
        *_agreement(rules),
        f"ELSIF {'old_side OR ' if lead is Side.OLD else ''}NOT new_side THEN",
        "  -- The new side follows from the old one, also from its default.",
        *_indented(rules.derive(Side.NEW)),
        "ELSE",
        "  -- The old side follows from the new one.",
        *_indented(rules.derive(Side.OLD)),
        "END IF;",
        "RETURN NEW;",
    ]
    return _function(sync, "insert", body)


def update_function(sync: Sync, lead: Side) -> str:
    rules = Rules(sync)
    body = [
        *_opening(rules, lambda column: rules.value(column, "OLD")),
        *_agreement(rules),
        f"ELSIF {'old_side' if lead is Side.OLD else 'old_side AND NOT new_side'} THEN",
        "  -- The new side follows from the old one.",
        *_indented(rules.overlay(Side.OLD) if lead is Side.NEW else []),
        *_indented(rules.derive(Side.NEW)),
        "ELSIF new_side THEN",
        "  -- The old side follows from the new one.",
        *_indented(rules.overlay(Side.NEW) if lead is Side.OLD else []),
        *_indented(rules.derive(Side.OLD)),
        f"ELSIF NOT {rules.in_step('NEW')} THEN",
        "  -- The row's key moved, perhaps past a backfill that has not seen it.",
        *_indented(rules.derive(_other(lead))),
        "END IF;",
        "RETURN NEW;",
    ]
    return _function(sync, "update", body)


def triggers(sync: Sync, shape: TableShape) -> tuple[str, str]:
    """An update that touches neither side nor the key does not even call the function."""
    table = qualified(sync.table)
    rules = Rules(sync)
    touched = [
        *(f"{rules.value(c, 'OLD')} IS DISTINCT FROM {rules.value(c, 'NEW')}" for c in (*sync.old, *sync.new)),
        *(f"OLD.{quoted(column)} IS DISTINCT FROM NEW.{quoted(column)}" for column in shape.key),
    ]
    return (
        f"CREATE OR REPLACE TRIGGER {quoted(trigger_name(sync.name, 'insert'))} BEFORE INSERT ON {table}\n"
        f"FOR EACH ROW EXECUTE FUNCTION {function_name(sync.name, 'insert')}()",
        f"CREATE OR REPLACE TRIGGER {quoted(trigger_name(sync.name, 'update'))} BEFORE UPDATE ON {table}\n"
        f"FOR EACH ROW WHEN {_any(touched)}\nEXECUTE FUNCTION {function_name(sync.name, 'update')}()",
    )


def _opening(rules: Rules, earlier: Callable[[str], str]) -> list[str]:
    """Let our own writes pass, say which sides were written, and count them once for each transaction."""
    return [
        f"IF mark = {literal(OURS)} THEN RETURN NEW; END IF;  -- Lockstep's own backfill",
        f"old_side := {rules.changed(Side.OLD, earlier)};",
        f"new_side := {rules.changed(Side.NEW, earlier)};",
        "IF mark IS DISTINCT FROM 'both' THEN  -- this transaction is not counted yet for both sides",
        *_indented(_counted(rules.sync, Side.OLD, "new")),
        *_indented(_counted(rules.sync, Side.NEW, "old")),
        "END IF;",
    ]


def _agreement(rules: Rules) -> list[str]:
    return [
        f"IF old_side AND new_side AND {rules.in_step('NEW')} THEN",
        "  -- The application wrote both sides, and they agree.",
        "  RETURN NEW;",
    ]


def _counted(sync: Sync, side: Side, other: str) -> list[str]:
    return [
        f"IF {side}_side AND mark IS DISTINCT FROM '{side}' AND mark IS DISTINCT FROM 'both' THEN",
        f"  PERFORM nextval({literal(sequence_name(sync.name, side))}::regclass);",
        f"  mark := CASE mark WHEN '{other}' THEN 'both' ELSE '{side}' END;",
        f"  PERFORM set_config({literal(f'lockstep.{sync.name}')}, mark, true);",
        "END IF;",
    ]


def _function(sync: Sync, event: str, body: Iterable[str]) -> str:
    declared = [
        "DECLARE",
        f"  mark text := current_setting({literal(f'lockstep.{sync.name}')}, true);",
        "  old_side boolean;",
        "  new_side boolean;",
        "BEGIN",
    ]
    source = "\n".join(["", *declared, *_indented(body), "END", ""])
    return (
        f"CREATE OR REPLACE FUNCTION {function_name(sync.name, event)}() RETURNS trigger\n"
        f"LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS {_dollar_quoted(source)}"
    )


def _dollar_quoted(source: str) -> str:
    """A name or a text of the mapping may hold any tag, so one that does not occur is chosen."""
    number, tag = 0, "$lockstep$"
    while tag in source:
        number += 1
        tag = f"$lockstep{number}$"
    return f"{tag}{source}{tag}"


def _default(shape: TableShape, name: str) -> str:
    """The default as exact text. A volatile one would be another value than the one that was stored."""
    column = shape.column(name)
    if column is None or column.default is None:
        return "NULL::text"
    if column.default_is_volatile:
        raise Unsupported(
            f'The default of the column "{name}" gives another value each time, or depends on who asks.',
            remedy="Drop the default while the plan runs.",
            field=name,
        )
    return exact(f"({column.default})")


def _other(side: Side) -> Side:
    return Side.OLD if side is Side.NEW else Side.NEW


def _all(conditions: Iterable[str]) -> str:
    return _joined(conditions, "AND")


def _any(conditions: Iterable[str]) -> str:
    return _joined(conditions, "OR")


def _joined(conditions: Iterable[str], word: str) -> str:
    """One condition on each line, for those who approve what is sent."""
    joined = f"\n    {word} ".join(conditions)
    return f"({joined})"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
