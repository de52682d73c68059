"""make test: lint, types, layers and every test on servers of its own; counts what is skipped."""

import argparse
import os
import shutil
import signal
import sys
from pathlib import Path

from stack.debian import BROWSER, BROWSER_DRIVER, NODE, get
from stack.house import CLONE
from stack.servers import throw_away_servers
from stack.stages import Result, lint_stages, run_stage, test_stages


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stack.test", description=__doc__)
    parser.add_argument("--lint", action="store_true", help="only ruff, mypy and import-linter")
    only_lint = parser.parse_args().lint
    # SIGTERM must remove the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reports = fresh_folder(CLONE / ".lockstep" / "reports")
    results = [run_stage(stage, reports, os.environ) for stage in lint_stages()]
    if not only_lint:
        get(BROWSER, BROWSER_DRIVER, NODE)
        with throw_away_servers(replica=True, fast=True) as servers:
            environment = os.environ | servers.environment() | servers.target_environment()
            results += [run_stage(stage, reports, environment) for stage in test_stages(reports)]
    return summarise(results)


def fresh_folder(folder: Path) -> Path:
    """Return an empty folder, so that no report of an earlier run is read as this one's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def summarise(results: list[Result]) -> int:
    """Print the table, what was skipped and why, and the closing line; return the exit status."""
    print(f"\n{'stage':<20}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for result in results:
        counts = f"{result.passed:>8}{result.failed:>8}{result.skipped.total():>9}{result.seconds:>9.1f}"
        print(f"{result.name:<20}{counts}")
    for result in results:
        for reason, count in result.skipped.most_common():
            print(f"skipped {count} in {result.name}: {reason}")
    for result in results:
        for failed in result.failed_tries:
            print(f"tried again: {result.name}, of which {failed} failed at first")
    passed, failed = sum(result.passed for result in results), sum(result.failed for result in results)
    skipped = sum(result.skipped.total() for result in results)
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
