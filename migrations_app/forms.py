"""The form of a plan: its fields from the operation's own schema and the tables of content.py, its errors at the field.

Inputs are named by the path of what they set (`parts.0.expression`, `limits.lag_hold_s`), which is also how errors name
their field. Nothing here decides what a plan may say: parse_content and the engine's expressions do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from migrations_app.content import ACTIONS, GUARDS_DEFAULT, LIMITS, RULES, parse_content
from migrations_app.words import span
from workers.engine.errors import EngineError
from workers.engine.expressions import parse
from workers.engine.operation import OPERATIONS, Operation, operation_from

KIND = "split_column"
FEWEST_PARTS, MOST_PARTS = 2, 8
NAMES = ("first_name", "last_name", "middle_name")
"""Shown in empty fields."""
IN_CONTENT = "operations.0.parameters."
ANY_UID = "00000000-0000-0000-0000-000000000000"
"""Stands for the target while a form is only checked: no error depends on it."""

LABELS: dict[str, tuple[str, str, str]] = {
    # path: (label, unit, what it does)
    "limits.rate_rows_per_s": ("Rate", "rows/s", "The backfill walks over at most so many rows a second."),
    "limits.rate_rows_per_s_most": ("Rate, at most", "rows/s", "Up to here on-call may raise it without an approval."),
    "limits.batch_rows": ("Batch, at first", "rows", "One transaction in the target; then it is steered by its cost."),
    "limits.batch_rows_most": ("Batch, at most", "rows", "The steering never goes beyond this."),
    "limits.lag_slow_s": ("Replica lag that slows", "s", "From here on the backfill goes slower."),
    "limits.lag_hold_s": ("Replica lag that holds", "s", "Beyond this it waits until the replica has caught up."),
    "rules.accepted_lossy_rows": (
        "Rows that may change their old value",
        "rows",
        "Rows whose old value the mapping does not give back. Signed with the plan.",
    ),
    "rules.soak_s": ("Soak", "s", "From cutover to contract."),
    "rules.unused_s": ("Unused before dropped", "s", "A side goes only when no application used it for this long."),
    "rules.hold_s": ("Hold", "s", "From contract, when the old column is out of reach, to purge, when it is gone."),
    "rules.verified_within_s": ("Verification at most this old", "s", "What cutover asks for."),
    "guards.slo": ("Objective", "", "Share of probes that must be good, such as 0.999."),
    "guards.latency_ms": ("A probe is bad beyond", "ms", ""),
    "guards.cap": ("Budget that this plan may spend", "", "Share of the error budget of 30 days."),
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field, with the offending place where it is an expression."""

    fact: str
    remedy: str = ""
    text: str = ""
    position: int | None = None

    @classmethod
    def of(cls, error: EngineError, text: str = "") -> Problem:
        return cls(error.fact, error.remedy, text, error.position)

    @property
    def pointed(self) -> tuple[str, str, str] | None:
        """Return the text before, at and after the offending place; None where there is none."""
        if self.position is None or not self.text:
            return None
        return self.text[: self.position], self.text[self.position :][:1] or "⌴", self.text[self.position + 1 :]

    def as_dict(self) -> dict[str, Any]:
        return {"fact": self.fact, "remedy": self.remedy, "pointed": self.pointed}


@dataclass(frozen=True)
class Input:
    """One input as a template shows it."""

    name: str
    label: str
    value: str
    hint: str = ""
    unit: str = ""
    example: str = ""
    is_number: bool = False
    is_code: bool = False
    problem: Problem | None = None

    @property
    def id(self) -> str:
        return "f-" + self.name.replace(".", "-").replace("_", "-")


@dataclass
class PlanForm:
    """What a person typed, or what a plan says; `problems` by field after `check`."""

    values: dict[str, str]
    problems: dict[str, Problem] = field(default_factory=dict)

    @classmethod
    def blank(cls, target_id: str = "") -> PlanForm:
        return cls({"target": target_id, "schema": "public"} | _flat(_defaults()))

    @classmethod
    def of_plan(cls, title: str, target_id: int, content: Mapping[str, Any]) -> PlanForm:
        said = {name: content[name] for name in ("limits", "rules", "guards")}
        said |= content["operations"][0]["parameters"]
        return cls({"title": title, "target": str(target_id), "chain": "on" if content["chain"] else ""} | _flat(said))

    @classmethod
    def posted(cls, post: Mapping[str, str]) -> PlanForm:
        """Read what was sent; blank parts behind the second are left out."""
        form = cls({name: value.strip() for name, value in post.items() if len(value) < 20_000})
        wanted = form.part_count + (1 if "add_part" in post else 0)
        filled = [index for index in range(wanted) if index < FEWEST_PARTS or form._has_part(index)]
        form.values["part_count"] = str(min(MOST_PARTS, len(filled) + (1 if "add_part" in post else 0)))
        for place, index in enumerate(filled):
            for name in ("name", "type", "expression"):
                form.values[f"parts.{place}.{name}"] = form.values.get(f"parts.{index}.{name}", "")
        return form

    @property
    def part_count(self) -> int:
        count = self.values.get("part_count", "")
        if count.isdecimal() and len(count) < 3:
            return max(FEWEST_PARTS, min(MOST_PARTS, int(count)))
        return max(FEWEST_PARTS, sum(1 for index in range(MOST_PARTS) if self._has_part(index)))

    def raw(self) -> dict[str, Any]:
        """Return raw content for plan_create; notes numbers that are none in `problems`."""
        parts = [
            {name: self.values.get(f"parts.{index}.{name}", "") for name in ("name", "type", "expression")}
            for index in range(self.part_count)
        ]
        parameters = {name: self.values.get(name, "") for name in ("schema", "table", "column", "join")}
        guards: dict[str, Any] = {name: self._number(f"guards.{name}") for name in ("slo", "latency_ms", "cap")}
        guards |= {"probe": self.values.get("guards.probe", ""), "windows": list(self._windows())}
        guards["undo_cutover"] = bool(self.values.get("guards.undo_cutover"))
        return {
            "operations": [{"kind": KIND, "parameters": parameters | {"parts": parts}}],
            "limits": {name: self._number(f"limits.{name}") for name in LIMITS},
            "rules": {name: self._number(f"rules.{name}") for name in RULES},
            "guards": guards,
            "chain": bool(self.values.get("chain")),
        }

    def check(self) -> bool:
        """Find what is wrong, as much of it as can be said at once; True where nothing is."""
        raw = self.raw()
        if not self.values.get("target"):
            self.problems["target"] = Problem("No target is chosen.", "Choose the database that holds the table.")
        self._check_expressions(raw["operations"][0]["parameters"])
        if not self.problems:
            try:
                parse_content(raw, target_uid=ANY_UID)
            except EngineError as error:
                self.refuse(error.field, Problem.of(error))
        return not self.problems

    def refuse(self, field_name: str, problem: Problem) -> None:
        """Place what was said of a field of the content, or of none, at its input."""
        self.problems[field_name.removeprefix(IN_CONTENT) or "form"] = problem

    def _check_expressions(self, parameters: Mapping[str, Any]) -> None:
        try:
            operation = operation_from(KIND, parameters)
        except EngineError as error:
            self.problems.setdefault(error.field or "form", Problem.of(error))
            operation = None
        for name, text, columns in _expressions(operation, parameters):
            if not text or not all(columns):
                continue
            try:
                parse(text, columns=columns, field=name)
            except EngineError as error:
                self.problems[name] = Problem.of(error, text)

    def _number(self, name: str) -> float:
        text = self.values.get(name, "").replace(" ", "").replace("_", "")
        try:
            return float(text)
        except ValueError:
            self.problems[name] = Problem(f'"{text}" is not a number.' if text else "A number is missing.")
            return 0.0

    def _windows(self) -> Iterator[dict[str, Any]]:
        for index in range(8):
            base = f"guards.windows.{index}"
            if not any(self.values.get(f"{base}.{name}") for name in ("long_s", "short_s", "burn")):
                continue
            numbers = {name: self._number(f"{base}.{name}") for name in ("long_s", "short_s", "burn")}
            yield numbers | {"action": self.values.get(f"{base}.action", "pause")}

    def _has_part(self, index: int) -> bool:
        return any(self.values.get(f"parts.{index}.{name}") for name in ("name", "type", "expression"))

    # What templates show.

    def input(self, name: str, label: str, **more: Any) -> Input:
        return Input(name, label, self.values.get(name, ""), problem=self.problems.get(name), **more)

    @property
    def table_inputs(self) -> list[Input]:
        properties = OPERATIONS[KIND].parameters_schema()["properties"]
        examples = {"schema": "public", "table": "users", "column": "name"}
        return [
            self.input(name, properties[name]["title"], is_code=True, example=f"such as {example}")
            for name, example in examples.items()
        ]

    @property
    def parts(self) -> list[list[Input]]:
        properties = OPERATIONS[KIND].parameters_schema()["properties"]["parts"]["items"]["properties"]
        return [
            [
                self.input(
                    f"parts.{index}.{name}",
                    shape["title"],
                    is_code=True,
                    example="such as " + (shape.get("examples") or [NAMES[index % len(NAMES)]])[0],
                )
                for name, shape in properties.items()
            ]
            for index in range(self.part_count)
        ]

    @property
    def can_add_part(self) -> bool:
        return self.part_count < MOST_PARTS

    @property
    def join(self) -> Input:
        title = OPERATIONS[KIND].parameters_schema()["properties"]["join"]["title"]
        return self.input("join", title, is_code=True, example="such as first_name || ' ' || last_name")

    @property
    def probe(self) -> Input:
        hint = "One SELECT, run five times a second on the primary. Empty for no error budget."
        return self.input("guards.probe", "Probe", is_code=True, hint=hint)

    @property
    def limits(self) -> list[Input]:
        return [self._labelled(f"limits.{name}", default) for name, (default, _, _) in LIMITS.items()]

    @property
    def rules(self) -> list[Input]:
        return [self._labelled(f"rules.{name}", default) for name, (default, _, _) in RULES.items()]

    @property
    def guards(self) -> list[Input]:
        return [self._labelled(f"guards.{name}", GUARDS_DEFAULT[name]) for name in ("slo", "latency_ms", "cap")]

    @property
    def windows(self) -> list[dict[str, Any]]:
        names = {"long_s": "Long window", "short_s": "Short window", "burn": "Burn"}
        shown = sum(1 for index in range(8) if self.values.get(f"guards.windows.{index}.burn"))
        return [
            {
                "inputs": [
                    self.input(
                        f"guards.windows.{index}.{name}", label, is_number=True, unit="×" if name == "burn" else "s"
                    )
                    for name, label in names.items()
                ],
                "action": self.values.get(f"guards.windows.{index}.action", "pause"),
                "name": f"guards.windows.{index}",
                "problem": self.problems.get(f"guards.windows.{index}"),
            }
            for index in range(min(8, shown + 1))
        ]

    @property
    def has_problem_in_limits(self) -> bool:
        return self._has_problem_in("limits.")

    @property
    def has_problem_in_rules(self) -> bool:
        return self._has_problem_in("rules.")

    @property
    def has_problem_in_guards(self) -> bool:
        return self._has_problem_in("guards.")

    @property
    def actions(self) -> tuple[str, ...]:
        return ACTIONS

    def _has_problem_in(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self.problems)

    def _labelled(self, name: str, default: float) -> Input:
        label, unit, hint = LABELS[name]
        said = span(default) if unit == "s" and default >= 120 else f"{default:,g} {unit}".strip()
        return self.input(name, label, unit=unit, hint=f"{hint} Usually {said}.".strip(), is_number=True)


def _expressions(
    operation: Operation | None, parameters: Mapping[str, Any]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name each expression's field, its text and the columns that it may use; also of a form that is half filled in."""
    parts = parameters["parts"]
    for index, part in enumerate(parts):
        yield f"parts.{index}.expression", part["expression"], (parameters["column"],)
    yield "join", parameters["join"], tuple(part["name"] for part in parts)


def _defaults() -> dict[str, Any]:
    return {
        "limits": {name: default for name, (default, _, _) in LIMITS.items()},
        "rules": {name: default for name, (default, _, _) in RULES.items()},
        "guards": GUARDS_DEFAULT,
    }


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """Return nested values by dotted path, as the inputs are named."""
    if isinstance(value, dict):
        pairs: Any = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    elif isinstance(value, bool):
        return {path: "on" if value else ""}
    else:
        return {path: f"{value:.12g}" if isinstance(value, float) else str(value)}
    return {
        name: text for key, inner in pairs for name, text in _flat(inner, f"{path}.{key}" if path else str(key)).items()
    }
