"""Counts of make test come from the tools' own reports; a tool that breaks down is a failure."""

import os
import sys

import pytest

from stack.stages import Result, Stage, read_report, run_stage

JUNIT = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"/>
<testcase name="c"><failure message="no"/></testcase>
<testcase name="d"><error message="no"/></testcase>
<testcase name="e"><skipped message="no server"/></testcase>
</testsuite></testsuites>"""
TAP = """ok 1 - folds
ok 2 - waits # SKIP no socket
not ok 3 - draws
# pass 1
# fail 1
# cancelled 0
# skipped 1
"""


@pytest.mark.parametrize(("file", "text"), [("r.xml", JUNIT), ("r.tap", TAP)])
def test_a_report_is_counted(tmp_path, file, text):
    (tmp_path / file).write_text(text)

    result = read_report("tests", tmp_path / file)

    assert result == EXPECTED[file]


EXPECTED = {
    "r.xml": Result("tests", passed=2, failed=2, skipped={"no server": 1}),
    "r.tap": Result("tests", passed=1, failed=1, skipped={"no socket": 1}),
}


def test_a_check_that_ends_well_counts_as_one(tmp_path):
    result = run_stage(Stage("ruff", (sys.executable, "-c", "")), tmp_path, os.environ)

    assert (result.passed, result.failed) == (1, 0)


def test_a_tool_that_writes_no_report_has_failed(tmp_path):
    result = run_stage(Stage("pytest", (sys.executable, "-c", "exit(5)"), "pytest.xml"), tmp_path, os.environ)

    assert (result.passed, result.failed) == (0, 1)


def test_a_tool_that_found_no_test_has_failed(tmp_path):
    stage = Stage(
        "node", (sys.executable, "-c", f"open({str(tmp_path / 'node.tap')!r}, 'w').write('# pass 0')"), "node.tap"
    )

    result = run_stage(stage, tmp_path, os.environ)

    assert result.failed == 1


def test_a_program_that_does_not_exist_has_failed(tmp_path):
    result = run_stage(Stage("nothing", ("lockstep-no-such-program",)), tmp_path, os.environ)

    assert result.failed == 1


def test_a_stage_that_cannot_run_is_counted_with_its_reason(tmp_path):
    result = run_stage(Stage("browser", ("true",), missing="no chromium"), tmp_path, os.environ)

    assert result.skipped == {"no chromium": 1}


ONCE_ONLY = "import pathlib as p, sys; seen = p.Path(sys.argv[1]); was = seen.exists(); seen.touch(); exit(not was)"


def test_a_stage_that_may_try_twice_counts_its_second_try_and_says_so(tmp_path, capfd):
    stage = Stage("browser", (sys.executable, "-c", ONCE_ONLY, str(tmp_path / "seen")), tries=2)

    result = run_stage(stage, tmp_path, os.environ)

    assert (result.passed, result.failed, result.failed_tries) == (1, 0, [1])
    assert "1 failed, all of it once more" in capfd.readouterr().out


def test_a_stage_that_fails_twice_has_failed(tmp_path):
    result = run_stage(Stage("browser", (sys.executable, "-c", "exit(1)"), tries=2), tmp_path, os.environ)

    assert (result.failed, result.failed_tries) == (1, [1])
