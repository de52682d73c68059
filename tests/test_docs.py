"""What can be set, run, read or refused is documented, and what the documents name exists."""

import ast
import re
from pathlib import Path

import pytest

from migrations_app import policy
from migrations_app.lifecycle import PhaseStatus, PlanStatus, RunStatus
from workers.engine import errors, operations  # noqa: F401  (registers the catalogue)
from workers.engine.expressions.functions import ALIASES, FUNCTIONS
from workers.engine.operation import OPERATIONS
from workers.engine.signals import SIGNALS

CLONE = Path(__file__).resolve().parent.parent
DOCS = CLONE / "docs"
PAGES = sorted([*CLONE.glob("*.md"), *DOCS.rglob("*.md")])
CODE = sorted(
    path for folder in ("controlplane", "migrations_app", "workers") for path in (CLONE / folder).rglob("*.py")
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
IDENTIFIER = re.compile(r"`([a-z0-9_]+)`")


def documented(page):
    """The identifiers that a reference page has a row for."""
    rows = [line for line in (DOCS / "reference" / page).read_text().splitlines() if line.startswith("| `")]
    return {IDENTIFIER.search(row)[1] for row in rows if IDENTIFIER.search(row)}


def targets_of(page):
    """Where the page's links lead within the clone."""
    targets = [target.partition("#")[0] for target in LINK.findall(page.read_text()) if "://" not in target]
    return [target for target in targets if target]


def classes(base):
    return {base} | {each for child in base.__subclasses__() for each in classes(child)}


def texts(node):
    """The texts that an expression can come to, as far as they are written in it."""
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def calls():
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path, node, ast.unparse(node.func)


def settings_read():
    return set(re.findall(r'env\.\w+\(\s*"(\w+)"', (CLONE / "controlplane" / "settings.py").read_text()))


def event_kinds():
    """Second argument of every record(); a variable there stands for the texts that it is given in the same file."""
    kinds = set()
    for path, node, name in calls():
        if not name.endswith(("events.record", "_record")) or len(node.args) < 2:
            continue
        kind = node.args[1]
        if isinstance(kind, ast.Name):
            kinds |= {text for value in values_of(kind.id, path) for text in texts(value)}
        elif isinstance(kind, ast.Constant):
            kinds.add(kind.value)
    return kinds


def values_of(name, path):
    """Everything that is assigned to a variable of this name in a file, on its own or side by side with others."""
    for node in ast.walk(ast.parse(path.read_text())):
        for target in node.targets if isinstance(node, ast.Assign) else []:
            if isinstance(target, ast.Name) and target.id == name:
                yield node.value
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from (
                    value for each, value in zip(target.elts, node.value.elts, strict=True) if ast.unparse(each) == name
                )


def refusal_codes():
    """`code` of every error class, `code=` of every refusal, the code of every answer and of every Blocker."""
    codes = {each.code for each in classes(errors.EngineError)}
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                codes |= {
                    statement.value.value
                    for statement in node.body
                    if isinstance(statement, ast.Assign)
                    and ast.unparse(statement.targets[0]) == "code"
                    and isinstance(statement.value, ast.Constant)
                }
    for _, node, name in calls():
        if name.endswith(("Refused", "Problem")):
            codes |= {
                each.value.value
                for each in node.keywords
                if each.arg == "code" and isinstance(each.value, ast.Constant)
            }
        if name == "Blocker" and node.args and isinstance(node.args[0], ast.Constant):
            codes.add(node.args[0].value)
        if name == "_answer" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            codes.add(node.args[1].value)
    return codes | {f"{wait}_running" for wait in ("soak", "hold")}


def objection_codes():
    """The code of every Objection, given first or by name."""
    codes = set()
    for _, node, name in calls():
        if name == "Objection":
            given = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "code")]
            codes |= {each.value for each in given if isinstance(each, ast.Constant)}
    return codes


def test_every_setting_is_documented():
    assert (
        settings_read() - set(re.findall(r"`(LOCKSTEP_\w+)`", (DOCS / "reference" / "settings.md").read_text()))
        == set()
    )


def test_every_documented_setting_exists():
    assert (
        set(re.findall(r"^\| `(LOCKSTEP_\w+)`", (DOCS / "reference" / "settings.md").read_text(), re.M))
        <= settings_read()
    )


@pytest.mark.parametrize("kind", sorted(OPERATIONS))
def test_every_operation_has_its_page_with_every_parameter(kind):
    page = (DOCS / "reference" / "operations" / f"{kind}.md").read_text()

    assert [name for name in OPERATIONS[kind].parameters_schema()["properties"] if f"`{name}`" not in page] == []


def test_every_function_of_the_mapping_language_is_documented():
    page = (DOCS / "reference" / "operations" / "split_column.md").read_text()

    assert [name for name in {*FUNCTIONS, *ALIASES} - {"||", "character_length"} if f"`{name}`" not in page] == []


def test_every_refusal_is_documented():
    assert refusal_codes() - documented("errors.md") == set()


def test_every_documented_refusal_exists():
    assert documented("errors.md") - refusal_codes() == set()


def test_every_documented_objection_exists():
    assert documented("objections.md") - objection_codes() == set()


def test_every_objection_is_documented():
    assert objection_codes() - documented("objections.md") == set()


def test_every_event_is_documented():
    assert event_kinds() - documented("events.md") == set()


def test_every_documented_event_can_happen():
    assert documented("events.md") - event_kinds() == set()


def test_every_signal_is_documented():
    assert set(SIGNALS) - documented("signals.md") == set()


def test_every_gate_is_documented():
    assert {gate.key for gate in policy.GATES} - documented("gates.md") == set()


@pytest.mark.parametrize("status", sorted({*PlanStatus, *PhaseStatus, *RunStatus}))
def test_every_stored_state_is_in_the_glossary(status):
    assert re.search(rf"\b{status}\b", (DOCS / "glossary.md").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CLONE)))
def test_every_link_leads_somewhere(page):
    assert [target for target in targets_of(page) if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CLONE)))
def test_every_make_target_named_exists(page):
    targets = set(re.findall(r"^([a-z-]+):.*##", (CLONE / "Makefile").read_text(), re.M))

    assert set(re.findall(r"`make ([a-z-]+)`", page.read_text())) - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CLONE)))
def test_every_management_command_named_exists(page):
    commands = {path.stem for path in (CLONE / "migrations_app" / "management" / "commands").glob("*.py")}
    django = {"migrate", "collectstatic", "createsuperuser", "check", "shell"}

    assert set(re.findall(r"manage\.py ([a-z_]+)", page.read_text())) - commands - django == set()


def test_every_page_is_reached_from_the_readme():
    found, waiting = set(), [CLONE / "README.md"]
    while waiting:
        place = waiting.pop()
        if place.is_dir():
            waiting += place.glob("*.md")
        elif place.suffix == ".md" and place.exists() and place not in found:
            found.add(place)
            waiting += [(place.parent / target).resolve() for target in targets_of(place)]

    assert [str(page.relative_to(CLONE)) for page in PAGES if page not in found] == []
