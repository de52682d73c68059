"""What a parsed expression is made of: small frozen nodes, each with its SQL and its Python twin.

The twin follows SQL's three-valued logic and counts characters as code points. `longest` and `can_be_null` may be
too careful, never too hopeful.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from workers.engine.expressions.functions import Function, Nulls
from workers.engine.expressions.rendering import Rendering

Kind = Literal["text", "int", "bool"]
Value = str | int | bool | None
Row = Mapping[str, str | None]
Lengths = Mapping[str, int | None]
"""Most characters of each column; None, or no entry, where there is no limit."""

# Every number in the language is an offset or a length: a text holds at most 1 GB, so at most 2^30 characters.
LONGEST_TEXT = 2**30
LONGEST_NUMBER = 11  # characters of -2147483648


class Node(Protocol):
    @property
    def kind(self) -> Kind: ...
    def evaluate(self, row: Row) -> Value: ...
    def sql(self, rendering: Rendering) -> str: ...
    def can_be_null(self, nullable: Collection[str]) -> bool: ...
    def longest(self, lengths: Lengths) -> int | None:
        """Return the most characters of a text; None where it is unbounded or no text."""

    def extent(self) -> tuple[int, int]:
        """Return the least and the greatest value of a number."""


class Bounds:
    """What most nodes answer: no limit to the text, and any offset or length for a number."""

    def longest(self, lengths: Lengths) -> int | None:
        return None

    def extent(self) -> tuple[int, int]:
        return (0, LONGEST_TEXT)


@dataclass(frozen=True)
class Constant(Bounds):
    value: str | int | None
    """NULL counts as text, the kind of every mapped column."""

    @property
    def kind(self) -> Kind:
        return "int" if isinstance(self.value, int) else "text"

    def evaluate(self, row: Row) -> Value:
        return self.value

    def sql(self, rendering: Rendering) -> str:
        if self.value is None:
            return rendering.null()
        return rendering.number(self.value) if isinstance(self.value, int) else rendering.text(self.value)

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return self.value is None

    def longest(self, lengths: Lengths) -> int | None:
        return 0 if self.value is None else len(str(self.value))

    def extent(self) -> tuple[int, int]:
        return (self.value, self.value) if isinstance(self.value, int) else super().extent()


@dataclass(frozen=True)
class ColumnValue(Bounds):
    name: str
    kind: Kind = "text"

    def evaluate(self, row: Row) -> Value:
        return row[self.name]

    def sql(self, rendering: Rendering) -> str:
        return rendering.column(self.name)

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return self.name in nullable

    def longest(self, lengths: Lengths) -> int | None:
        return lengths.get(self.name)


@dataclass(frozen=True)
class Call(Bounds):
    """An allow-listed function; its arguments were checked against `function.takes` by the parser."""

    function: Function
    arguments: tuple[Node, ...]

    @property
    def kind(self) -> Kind:
        return self.function.gives or self.arguments[0].kind

    def evaluate(self, row: Row) -> Value:
        values = [argument.evaluate(row) for argument in self.arguments]
        if self.function.nulls is Nulls.ANY and None in values:
            return None
        value: Value = self.function.twin(*values)
        return value

    def sql(self, rendering: Rendering) -> str:
        return rendering.call(self.function.name, [argument.sql(rendering) for argument in self.arguments])

    def can_be_null(self, nullable: Collection[str]) -> bool:
        nulls = [argument.can_be_null(nullable) for argument in self.arguments]
        match self.function.nulls:
            case Nulls.ANY:
                return any(nulls)
            case Nulls.ALL:
                return all(nulls)
            case Nulls.NEVER:
                return False
            case Nulls.ALWAYS:
                return True

    def longest(self, lengths: Lengths) -> int | None:
        if self.kind != "text":
            return None
        constants = [argument.value if isinstance(argument, Constant) else None for argument in self.arguments]
        return self.function.longest([argument.longest(lengths) for argument in self.arguments], constants)

    def extent(self) -> tuple[int, int]:
        if self.function.gives is not None:
            return super().extent()
        return _widest(self.arguments)


@dataclass(frozen=True)
class Sum(Bounds):
    """`left + right` or `left - right` of numbers; the parser refuses one that could leave 32 bits."""

    operator: Literal["+", "-"]
    left: Node
    right: Node
    kind: Kind = "int"

    def evaluate(self, row: Row) -> Value:
        left, right = self.left.evaluate(row), self.right.evaluate(row)
        if not isinstance(left, int) or not isinstance(right, int):
            return None
        return left + right if self.operator == "+" else left - right

    def sql(self, rendering: Rendering) -> str:
        return f"({self.left.sql(rendering)} {self.operator} {self.right.sql(rendering)})"

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return self.left.can_be_null(nullable) or self.right.can_be_null(nullable)

    def extent(self) -> tuple[int, int]:
        (low, high), (other_low, other_high) = self.left.extent(), self.right.extent()
        if self.operator == "+":
            return (low + other_low, high + other_high)
        return (low - other_high, high - other_low)


@dataclass(frozen=True)
class AsText(Bounds):
    """The one cast: a number as text (a text stays what it is)."""

    operand: Node
    kind: Kind = "text"

    def evaluate(self, row: Row) -> Value:
        value = self.operand.evaluate(row)
        return None if value is None else str(value)

    def sql(self, rendering: Rendering) -> str:
        return rendering.as_text(self.operand.sql(rendering))

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return self.operand.can_be_null(nullable)

    def longest(self, lengths: Lengths) -> int | None:
        return self.operand.longest(lengths) if self.operand.kind == "text" else LONGEST_NUMBER


COMPARISONS: dict[str, Callable[[str | int, str | int], bool]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: int(left) < int(right),
    "<=": lambda left, right: int(left) <= int(right),
    ">": lambda left, right: int(left) > int(right),
    ">=": lambda left, right: int(left) >= int(right),
}
"""Text is only compared for equality: its order depends on a collation, its equality under "C" does not."""


@dataclass(frozen=True)
class Comparison(Bounds):
    operator: str
    left: Node
    right: Node
    kind: Kind = "bool"

    def evaluate(self, row: Row) -> Value:
        left, right = self.left.evaluate(row), self.right.evaluate(row)
        if left is None or right is None:
            return None
        return COMPARISONS[self.operator](left, right)

    def sql(self, rendering: Rendering) -> str:
        return f"({self.left.sql(rendering)} {self.operator} {self.right.sql(rendering)})"

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return self.left.can_be_null(nullable) or self.right.can_be_null(nullable)


@dataclass(frozen=True)
class IsNull(Bounds):
    operand: Node
    negated: bool = False
    kind: Kind = "bool"

    def evaluate(self, row: Row) -> Value:
        return (self.operand.evaluate(row) is None) is not self.negated

    def sql(self, rendering: Rendering) -> str:
        return f"({self.operand.sql(rendering)} IS {'NOT ' if self.negated else ''}NULL)"

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return False


@dataclass(frozen=True)
class Junction(Bounds):
    """AND and OR: the deciding value (False for AND, True for OR) wins over NULL."""

    operator: Literal["AND", "OR"]
    left: Node
    right: Node
    kind: Kind = "bool"

    def evaluate(self, row: Row) -> Value:
        values = {self.left.evaluate(row), self.right.evaluate(row)}
        deciding = self.operator == "OR"
        if deciding in values:
            return deciding
        return None if None in values else not deciding

    def sql(self, rendering: Rendering) -> str:
        return f"({self.left.sql(rendering)} {self.operator} {self.right.sql(rendering)})"

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return self.left.can_be_null(nullable) or self.right.can_be_null(nullable)


@dataclass(frozen=True)
class Not(Bounds):
    operand: Node
    kind: Kind = "bool"

    def evaluate(self, row: Row) -> Value:
        value = self.operand.evaluate(row)
        return None if value is None else not value

    def sql(self, rendering: Rendering) -> str:
        return f"(NOT {self.operand.sql(rendering)})"

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return self.operand.can_be_null(nullable)


@dataclass(frozen=True)
class Case(Bounds):
    """A searched CASE; the parser turns a simple one into it. Without ELSE, what no branch takes is NULL."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None = None

    @property
    def kind(self) -> Kind:
        return self.branches[0][1].kind

    @property
    def results(self) -> tuple[Node, ...]:
        results = tuple(result for _, result in self.branches)
        return results if self.otherwise is None else (*results, self.otherwise)

    def evaluate(self, row: Row) -> Value:
        for condition, result in self.branches:
            if condition.evaluate(row) is True:
                return result.evaluate(row)
        return None if self.otherwise is None else self.otherwise.evaluate(row)

    def sql(self, rendering: Rendering) -> str:
        branches = " ".join(
            f"WHEN {condition.sql(rendering)} THEN {result.sql(rendering)}" for condition, result in self.branches
        )
        otherwise = "" if self.otherwise is None else f" ELSE {self.otherwise.sql(rendering)}"
        return f"CASE {branches}{otherwise} END"

    def can_be_null(self, nullable: Collection[str]) -> bool:
        return self.otherwise is None or any(result.can_be_null(nullable) for result in self.results)

    def longest(self, lengths: Lengths) -> int | None:
        longest = [result.longest(lengths) for result in self.results]
        return None if None in longest else max(length for length in longest if length is not None)

    def extent(self) -> tuple[int, int]:
        return _widest(self.results)


def _widest(nodes: tuple[Node, ...]) -> tuple[int, int]:
    extents = [node.extent() for node in nodes]
    return (min(low for low, _ in extents), max(high for _, high in extents))
