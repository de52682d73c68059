"""A plan's canonical content: what people sign. Parsed strictly, hashed as canonical JSON.

Shape: {version, target, operations: [{kind, parameters}], limits, guards, rules}. Durations are seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from workers.engine import operations  # noqa: F401  (registers the catalogue)
from workers.engine.adapters.base import is_a_select
from workers.engine.errors import EngineError, IdentifierRefused, ParametersRefused
from workers.engine.expressions import parse
from workers.engine.operation import Operation, operation_from
from workers.engine.signals import SIGNALS

VERSION = 1
LONGEST_NAME = 63
"""Bytes: what the narrowest engine takes."""
KEYS_OF_NAMES = ("schema", "table", "column", "name")
"""Parameters that hold a name; the others hold an expression or a type."""

_LAG = SIGNALS["replication_lag"].defaults
LIMITS: dict[str, tuple[float, float, float]] = {
    # name: (default, least, most)
    "rate_rows_per_s": (20_000, 1, 1_000_000),
    "rate_rows_per_s_most": (50_000, 1, 1_000_000),  # up to here on-call may raise the rate without a new approval
    "batch_rows": (1_000, 10, 10_000),
    "batch_rows_most": (5_000, 10, 100_000),
    "lag_slow_s": (_LAG.slow_at, 0.1, 3600),  # a replica this far behind slows the backfill
    "lag_hold_s": (_LAG.hold_at, 0.1, 3600),  # and this far behind holds it
}
RULES: dict[str, tuple[float, float, float]] = {
    "accepted_lossy_rows": (0, 0, 10**12),  # rows whose old value the mapping does not restore, signed with the plan
    "soak_s": (24 * 3600, 0, 90 * 86_400),  # cutover to contract
    "unused_s": (3600, 0, 90 * 86_400),  # a side is dropped only when no application used it for this long
    "hold_s": (72 * 3600, 0, 365 * 86_400),  # contract to purge
    "verified_within_s": (24 * 3600, 60, 30 * 86_400),  # cutover wants a verification no older than this
}
GUARDS_DEFAULT: dict[str, Any] = {
    "probe": "",  # one SELECT, run 5 times a second on the primary; empty for none
    "slo": 0.999,
    "latency_ms": 250,
    "windows": [
        {"long_s": 3600, "short_s": 300, "burn": 14.4, "action": "pause"},
        {"long_s": 300, "short_s": 30, "burn": 172.8, "action": "abort"},
    ],
    "cap": 0.1,  # share of the 30-day budget that this plan may spend
    "undo_cutover": False,  # whether a guard may put the old side in the lead again
}
ACTIONS = ("slow", "pause", "abort")
PROBE_FUNCTIONS = frozenset({"pg_sleep"})
"""What a probe may call beside standard SQL's functions: for a rehearsal of a target that is slow."""


def canonical(content: Mapping[str, Any]) -> str:
    """Return the JSON text that is hashed: sorted keys, no blanks, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def operations_of(content: Mapping[str, Any]) -> tuple[Operation, ...]:
    return tuple(operation_from(raw["kind"], raw["parameters"]) for raw in content["operations"])


def parse_content(raw: Mapping[str, Any], *, target_uid: str) -> dict[str, Any]:
    """Return complete canonical content; raise ParametersRefused naming the field that is wrong and how to mend it."""
    unknown = sorted(set(raw) - {"version", "target", "operations", "limits", "guards", "rules", "chain"})
    if unknown:
        raise ParametersRefused(f'There is no field "{unknown[0]}" in a plan.', remedy="Remove it.", field=unknown[0])
    listed = raw.get("operations")
    if not isinstance(listed, list) or len(listed) != 1:
        raise ParametersRefused(
            "A plan takes exactly one operation for now.",
            remedy="Make one plan for each operation.",
            field="operations",
        )
    parsed = [_operation(item, f"operations.{index}") for index, item in enumerate(listed)]
    limits = _numbers(raw.get("limits", {}), LIMITS, "limits")
    for low, high in (
        ("lag_slow_s", "lag_hold_s"),
        ("batch_rows", "batch_rows_most"),
        ("rate_rows_per_s", "rate_rows_per_s_most"),
    ):
        if limits[low] > limits[high]:
            raise ParametersRefused(
                f"{low} is {limits[low]:g} but {high} is {limits[high]:g}.",
                remedy=f"Let {low} be at most {high}.",
                field=f"limits.{low}",
            )
    chain = raw.get("chain", False)
    if not isinstance(chain, bool):
        raise ParametersRefused("chain is true or false.", field="chain")
    return {
        "version": VERSION,
        "target": target_uid,
        "operations": parsed,
        "limits": limits,
        "rules": _numbers(raw.get("rules", {}), RULES, "rules"),
        "guards": _guards(raw.get("guards", {})),
        "chain": chain,  # expand to verify follow each other without a click
    }


def _operation(item: Any, at: str) -> dict[str, Any]:
    """Return one operation in canonical form; errors name the field by its path in the content."""
    if not isinstance(item, dict) or set(item) != {"kind", "parameters"} or not isinstance(item["parameters"], dict):
        raise ParametersRefused("An operation is an object with kind and parameters.", field=at)
    try:
        operation = operation_from(str(item["kind"]), item["parameters"])
        parameters = operation.parameters()
        for path, name in _names(operation, parameters):
            _check_name(name, path)
        sync = operation.sync("p0o0")
        for mappings, columns in ((sync.ahead, sync.old), (sync.back, sync.new)):
            for mapping in mappings:
                parse(
                    mapping.expression,
                    columns=columns,
                    field=_path_to(parameters, mapping.expression, is_name=False),
                )
    except EngineError as error:
        inner = "" if error.field in ("", "kind") else "parameters."
        error.field = f"{at}.{inner}{error.field}".rstrip(".")
        raise
    return {"kind": operation.kind, "parameters": parameters}


def _names(operation: Operation, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    sync, table = operation.sync("p0o0"), operation.table
    names = [table.schema, table.name, *sync.old, *sync.new]
    return [(_path_to(parameters, name), name) for name in names]


def _check_name(name: str, field: str) -> None:
    if not name.isprintable():
        raise IdentifierRefused("The name holds a character that cannot be printed.", remedy="Remove it.", field=field)
    length = len(name.encode())
    if length > LONGEST_NAME:
        raise IdentifierRefused(
            f'The name "{name[:20]}…" is {length} bytes long; at most {LONGEST_NAME} are possible.',
            remedy="Choose a shorter one.",
            field=field,
        )


def _path_to(parameters: Mapping[str, Any], text: str, *, is_name: bool = True) -> str:
    """Return where this name or expression stands, such as `parts.0.expression`; empty where nowhere."""
    found = [path for path, value in _leaves(parameters) if value == text]
    fitting = [path for path in found if (path.rsplit(".", 1)[-1] in KEYS_OF_NAMES) == is_name]
    return (fitting or found or [""])[0]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield path, value
        return
    for key, item in inner:
        yield from _leaves(item, f"{path}.{key}" if path else str(key))


def _numbers(raw: Any, table: Mapping[str, tuple[float, float, float]], field: str) -> dict[str, float]:
    if not isinstance(raw, dict):
        raise ParametersRefused(f"{field} is an object of numbers.", field=field)
    for name in raw:
        if name not in table:
            raise ParametersRefused(
                f'There is no "{name}" in {field}.', remedy=f"Known: {', '.join(table)}.", field=f"{field}.{name}"
            )
    values: dict[str, float] = {}
    for name, (default, least, most) in table.items():
        value = raw.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ParametersRefused(
                f"{name} must be a number from {least:g} to {most:g}.",
                remedy=f"Leave it out for {default:g}.",
                field=f"{field}.{name}",
            )
        values[name] = int(value) if float(value).is_integer() else float(value)
    return values


def _guards(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict) or set(raw) - set(GUARDS_DEFAULT):
        known = ", ".join(GUARDS_DEFAULT)
        raise ParametersRefused("guards holds something unknown.", remedy=f"Known: {known}.", field="guards")
    guards = GUARDS_DEFAULT | raw
    if not isinstance(guards["probe"], str) or len(guards["probe"]) > 2000:
        raise ParametersRefused("probe is one SELECT of at most 2,000 characters.", field="guards.probe")
    if guards["probe"]:
        _one_select(guards["probe"])
    for name, least, most in (("slo", 0.5, 0.99999), ("latency_ms", 1, 60_000), ("cap", 0, 1)):
        value = guards[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ParametersRefused(f"{name} must be a number from {least} to {most}.", field=f"guards.{name}")
    if not isinstance(guards["undo_cutover"], bool):
        raise ParametersRefused("undo_cutover is true or false.", field="guards.undo_cutover")
    if not isinstance(guards["windows"], list) or len(guards["windows"]) > 8:
        raise ParametersRefused("windows is a list of at most 8 windows.", field="guards.windows")
    for index, window in enumerate(guards["windows"]):
        field = f"guards.windows.{index}"
        if not isinstance(window, dict) or set(window) != {"long_s", "short_s", "burn", "action"}:
            raise ParametersRefused("A window has long_s, short_s, burn and action.", field=field)
        numbers = [window[name] for name in ("long_s", "short_s", "burn")]
        if any(isinstance(n, bool) or not isinstance(n, int | float) or n <= 0 for n in numbers):
            raise ParametersRefused("long_s, short_s and burn are numbers above 0.", field=field)
        if window["short_s"] >= window["long_s"] or window["long_s"] > 30 * 86_400:
            raise ParametersRefused("short_s is less than long_s, which is at most 30 days.", field=field)
        if window["action"] not in ACTIONS:
            raise ParametersRefused(f"action is one of {', '.join(ACTIONS)}.", field=f"{field}.action")
    return guards


def _one_select(query: str) -> None:
    import sqlglot
    from sqlglot import expressions as nodes
    from sqlglot.errors import SqlglotError

    try:
        statements = [statement for statement in sqlglot.parse(query, read="postgres") if statement is not None]
    except (SqlglotError, RecursionError):
        statements = []
    writes = (nodes.Insert, nodes.Update, nodes.Delete, nodes.Merge, nodes.DDL, nodes.Command, nodes.Into, nodes.Lock)
    only = statements[0] if len(statements) == 1 else None
    is_plain = isinstance(only, nodes.Select) and only.expressions and not only.find(*writes)
    if only is None or not is_plain or not is_a_select(query):
        raise ParametersRefused(
            "The probe is not one plain SELECT.",
            remedy="Begin it with SELECT, without INTO, locks or a second statement.",
            field="guards.probe",
        )
    # A read-only transaction forbids no pg_terminate_backend, dblink or advisory lock.
    called = {function.name.lower() for function in only.find_all(nodes.Anonymous)} - PROBE_FUNCTIONS
    if called:
        raise ParametersRefused(
            f"The probe calls {sorted(called)[0]}, which is not known to be harmless.",
            remedy="Read what your application reads, with nothing but standard functions.",
            field="guards.probe",
        )
