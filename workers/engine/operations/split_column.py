"""Split one column into several: `users.name` into `first_name` and `last_name`, and back.

The measure for every operation: six steps and a purge, `do` and `undo` side by side.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingView
from dataclasses import dataclass
from typing import Any, ClassVar

from workers.engine.errors import ParametersRefused
from workers.engine.operation import register
from workers.engine.vocabulary import (
    AddColumn,
    AllowNull,
    Backfill,
    Compare,
    DropColumn,
    EnforceNotNull,
    ForgetProgress,
    Lead,
    Mapping,
    Phase,
    Purge,
    Restore,
    Retire,
    Side,
    StartSync,
    Step,
    StopSync,
    Sync,
    TableName,
)


@dataclass(frozen=True)
class Part:
    """One new column: its name, its type in the engine's spelling, and how it follows from the old column."""

    name: str
    type: str
    expression: str


@register
@dataclass(frozen=True)
class SplitColumn:
    """`column` becomes `parts`; `join` is the expression over the parts that gives the old value again."""

    kind: ClassVar[str] = "split_column"
    title: ClassVar[str] = "Split a column"

    schema: str
    table_name: str
    column: str
    parts: tuple[Part, ...]
    join: str

    @property
    def table(self) -> TableName:
        return TableName(self.schema, self.table_name)

    def sync(self, tag: str) -> Sync:
        return Sync(
            name=f"lockstep_{tag}",
            table=self.table,
            ahead=tuple(Mapping(part.name, part.expression) for part in self.parts),
            back=(Mapping(self.column, self.join),),
        )

    def steps(self, tag: str) -> tuple[Step, ...]:
        sync = self.sync(tag)
        retired = f"lockstep_{tag}_retired"
        return (
            Step(
                Phase.EXPAND,
                do=tuple(AddColumn(self.table, part.name, part.type) for part in self.parts),
                undo=tuple(DropColumn(self.table, part.name) for part in reversed(self.parts)),
                way_back="Drops the new columns, except those that were there before this plan.",
            ),
            Step(
                Phase.DUAL_WRITE,
                do=(StartSync(sync, Side.OLD),),
                undo=(StopSync(sync),),
                way_back="Removes the sync; the old column holds every write.",
            ),
            Step(
                Phase.BACKFILL,
                do=(Backfill(sync, Side.NEW),),
                undo=(ForgetProgress(Backfill(sync, Side.NEW)),),
                way_back="Changes no data; a later backfill starts from the first row again.",
            ),
            Step(
                Phase.VERIFY,
                do=(Compare(sync),),
                way_back="Nothing to undo; cutover asks for a new verification.",
            ),
            Step(
                Phase.CUTOVER,
                do=(Lead(sync, Side.NEW),),
                undo=(Lead(sync, Side.OLD),),
                way_back="The old column leads again; both sides stayed in step, so no write is lost.",
            ),
            Step(
                Phase.CONTRACT,
                # Without a sync the old side goes out of step, and new rows no longer name the old column: what was
                # backfilled on an earlier way back counts no more, and a NOT NULL is lifted before, not after.
                do=(
                    ForgetProgress(Backfill(sync, Side.OLD)),
                    AllowNull(self.table, self.column),
                    StopSync(sync),
                    Retire(self.table, self.column, retired),
                ),
                undo=(
                    Restore(self.table, self.column, retired),
                    StartSync(sync, Side.NEW),
                    Backfill(sync, Side.OLD),
                    EnforceNotNull(self.table, self.column),
                ),
                way_back="The old column comes back under its name and is brought into step with the new ones.",
            ),
            Step(
                Phase.PURGE,
                do=(Purge(self.table, retired),),
                reversible=False,
                way_back="None: the old column is dropped. Only a backup brings it back.",
            ),
        )

    def describe(self) -> str:
        names = ", ".join(part.name for part in self.parts)
        return f"Split {self.schema}.{self.table_name}.{self.column} into {names}"

    def parameters(self) -> dict[str, Any]:
        return {
            "schema": self.schema,
            "table": self.table_name,
            "column": self.column,
            "parts": [{"name": p.name, "type": p.type, "expression": p.expression} for p in self.parts],
            "join": self.join,
        }

    @classmethod
    def from_parameters(cls, parameters: MappingView[str, Any]) -> SplitColumn:
        """Raise ParametersRefused naming the field; expressions and names are checked by the engine's checks."""
        unknown = sorted(set(parameters) - {"schema", "table", "column", "parts", "join"})
        if unknown:
            raise ParametersRefused(f'There is no parameter "{unknown[0]}".', remedy="Remove it.", field=unknown[0])
        raw_parts = parameters.get("parts")
        if not isinstance(raw_parts, list) or len(raw_parts) < 2:
            raise ParametersRefused("A split needs at least two new columns.", remedy="Add one.", field="parts")
        parts = tuple(
            Part(*(_text(raw, name, f"parts.{index}.{name}") for name in ("name", "type", "expression")))
            for index, raw in enumerate(raw_parts)
        )
        operation = cls(
            schema=_text(parameters, "schema", "schema"),
            table_name=_text(parameters, "table", "table"),
            column=_text(parameters, "column", "column"),
            parts=parts,
            join=_text(parameters, "join", "join"),
        )
        names = [operation.column, *(part.name for part in parts)]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ParametersRefused(
                    f'The column name "{name}" is used twice.',
                    remedy="Give each new column a name of its own.",
                    field=f"parts.{index - 1}.name",
                )
        return operation

    @classmethod
    def parameters_schema(cls) -> dict[str, Any]:
        part = {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "type", "expression"],
            "properties": {
                "name": {"type": "string", "title": "New column"},
                "type": {"type": "string", "title": "Type", "examples": ["text"]},
                "expression": {
                    "type": "string",
                    "title": "Value, from the old column",
                    "examples": ["split_part(name, ' ', 1)"],
                },
            },
        }
        return {
            "type": "object",
            "additionalProperties": False,
            "required": ["schema", "table", "column", "parts", "join"],
            "properties": {
                "schema": {"type": "string", "title": "Schema", "default": "public"},
                "table": {"type": "string", "title": "Table"},
                "column": {"type": "string", "title": "Column to split"},
                "parts": {"type": "array", "minItems": 2, "items": part, "title": "New columns"},
                "join": {"type": "string", "title": "Old value, from the new columns"},
            },
        }


def _text(values: Any, name: str, field: str) -> str:
    value = values.get(name) if isinstance(values, MappingView) else None
    if not isinstance(value, str) or not value.strip():
        raise ParametersRefused(f'"{field}" is missing.', remedy="Give it as text.", field=field)
    return value.strip()
