"""The stages of make test, how each is run, and how its counts are read from the report that its tool writes."""

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from stack.debian import BROWSER, BROWSER_DRIVER, NODE, reason_missing
from stack.house import CLONE

STAGE_TIMEOUT_S = 2400  # all stages must end within the 90 minutes of one CI run, hung ones too
TOOLS = Path(sys.executable).parent
JAVASCRIPT_TESTS = "static/js/tests"


@dataclass(frozen=True)
class Stage:
    """One tool's run."""

    name: str
    command: tuple[str, ...]
    report: str = ""  # file name of the tool's report: .xml from pytest, .tap from node, none counts as one check
    missing: str = ""  # why it cannot run here
    tries: int = 1  # more where a busy machine makes a real browser late; every failed try is shown


@dataclass
class Result:
    """What one stage came to."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # how many by reason
    seconds: float = 0.0
    failed_tries: list[int] = field(default_factory=list)  # how many failed in each try before this one

    def is_empty(self) -> bool:
        return not (self.passed or self.failed or self.skipped)


def lint_stages() -> list[Stage]:
    return [
        Stage("ruff check", (str(TOOLS / "ruff"), "check", ".")),
        Stage("ruff format", (str(TOOLS / "ruff"), "format", "--check", ".")),
        Stage("mypy", (str(TOOLS / "mypy"),)),
        Stage("import-linter", (str(TOOLS / "lint-imports"),)),
    ]


def test_stages(reports: Path) -> list[Stage]:
    pytest = (sys.executable, "-m", "pytest", "--color=yes" if sys.stdout.isatty() else "--color=no")
    unit = (*pytest, "tests", "--ignore=tests/e2e", f"--junitxml={reports / 'pytest.xml'}")
    browser = (*pytest, "tests/e2e", f"--junitxml={reports / 'e2e.xml'}")
    scripts = sorted(str(path.relative_to(CLONE)) for path in (CLONE / JAVASCRIPT_TESTS).glob("*.test.*js"))
    reporters = (
        *("--test-reporter=spec", "--test-reporter-destination=stdout"),
        *("--test-reporter=tap", f"--test-reporter-destination={reports / 'node.tap'}"),
    )
    return [
        Stage("pytest", unit, "pytest.xml"),
        Stage("node --test", ("node", "--test", *reporters, *scripts), "node.tap", reason_missing(NODE)),
        # A run of its own: Playwright's loop and Django's ORM do not share a process.
        Stage("pytest tests/e2e", browser, "e2e.xml", reason_missing(BROWSER) or reason_missing(BROWSER_DRIVER), 2),
    ]


def run_stage(stage: Stage, reports: Path, environment: Mapping[str, str]) -> Result:
    """Run one stage with its output shown, and count what its last try did."""
    print(f"\n=== {stage.name}", flush=True)
    if stage.missing:
        print(f"skipped: {stage.missing}", flush=True)
        return Result(stage.name, skipped=Counter({stage.missing: 1}))
    failed_tries: list[int] = []
    for left in reversed(range(stage.tries)):
        result = try_stage(stage, reports, environment)
        result.failed_tries = failed_tries
        if not (result.failed and left):
            break
        failed_tries.append(result.failed)
        print(f"\n=== {stage.name}: {result.failed} failed, all of it once more", flush=True)
    return result


def try_stage(stage: Stage, reports: Path, environment: Mapping[str, str]) -> Result:
    if stage.report:
        (reports / stage.report).unlink(missing_ok=True)
    started = time.monotonic()
    status = run_shown(stage.command, environment)
    result = read_report(stage.name, reports / stage.report) if stage.report else Result(stage.name)
    if not stage.report and status == 0:
        result.passed = 1
    # A tool that broke down, or found no test to run, reports no failure of its own.
    if (status != 0 or result.is_empty()) and result.failed == 0:
        result.failed = 1
    result.seconds = time.monotonic() - started
    return result


def run_shown(command: tuple[str, ...], environment: Mapping[str, str]) -> int:
    try:
        return subprocess.run(command, env=environment, cwd=CLONE, timeout=STAGE_TIMEOUT_S, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"stopped after {STAGE_TIMEOUT_S} s", flush=True)
        return 124
    except OSError as error:
        print(error, flush=True)
        return 127


def read_report(name: str, report: Path) -> Result:
    """Read the counts from a tool's report; all zero where it wrote none."""
    result = Result(name)
    if not report.exists():
        return result
    if report.suffix == ".xml":
        return read_junit(result, report)
    text = report.read_text()
    counts = {
        word: int(number) for word, number in re.findall(r"^# (pass|fail|cancelled|skipped|todo) (\d+)$", text, re.M)
    }
    result.passed = counts.get("pass", 0)
    result.failed = counts.get("fail", 0) + counts.get("cancelled", 0)
    result.skipped.update(re.findall(r"^\s*ok .*# SKIP ?(.*)$", text, re.M))
    return result


def read_junit(result: Result, report: Path) -> Result:
    """Read pytest's own report; an expected failure counts as skipped, as it does for pytest."""
    for case in ElementTree.parse(report).iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif skip is not None:
            result.skipped[skip.get("message") or "no reason given"] += 1
        else:
            result.passed += 1
    return result
