"""The mapping language: one SQL expression, parsed against an allow-list, rendered per engine, evaluated in Python.

Every expression that `parse` returns is total: no row can make it raise, so that a sync made of it can never make
an application's write fail. The limits left are those of the server itself (a text beyond 1 GB).
"""

from workers.engine.expressions.expression import Expression
from workers.engine.expressions.nodes import Kind, Row, Value
from workers.engine.expressions.parsing import parse

__all__ = ["Expression", "Kind", "Row", "Value", "parse"]
