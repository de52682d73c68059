"""The Stack of the demo and of its check: a target with a replica, a table, three people and two applications."""

import json
import re
from pathlib import Path
from typing import Any

from stack.house import Stack
from stack.one_shot import ProgramFailed
from stack.progress import Step, draw_bar, silent
from stack.target_roles import EXECUTOR, TARGET_DATABASE

ROWS = 200_000
TABLE_STEP = "Target: table users"
# Lockstep reads a target's password from a variable whose name begins so; see LOCKSTEP_SECRET_ENV_PREFIX.
PASSWORD_VARIABLE = "LOCKSTEP_TARGET_SHOP_PASSWORD"
OLD_APP = "old-app"
NEW_APP = "new-app"


class DemoStack(Stack):
    """A stack with everything that the demo shows; `seeded` is what demo_seed printed: logins, plan, target."""

    def __init__(
        self, state_dir: Path, *, rows: int = ROWS, fast: bool = False, any_ports: bool = False, step: Step = silent
    ):
        super().__init__(state_dir, with_target=True, fast=fast, any_ports=any_ports, step=step)
        self.rows = rows
        self.seeded: dict[str, Any] = {}

    def environment(self) -> dict[str, str]:
        """Return the stack's variables with the demo's: where the target is, as each program may know it."""
        target, replica = self.servers.target, self.servers.replica
        assert target is not None and replica is not None
        return super().environment() | {
            "LOCKSTEP_DEMO": "1",
            PASSWORD_VARIABLE: self.servers.secrets.executor,
            "DEMO_TARGET_HOST": target.host,
            "DEMO_TARGET_PORT": str(target.port),
            "DEMO_TARGET_DATABASE": TARGET_DATABASE,
            "DEMO_TARGET_USER": EXECUTOR,
            "DEMO_TARGET_PASSWORD_VARIABLE": PASSWORD_VARIABLE,
            "DEMO_REPLICA_PORT": str(replica.port),
            "DEMO_ROWS": str(self.rows),
            "DEMO_STATE_DIR": str(self.state_dir),
        }

    def start_application(self, name: str) -> None:
        """Start the old or the new version of the application, which knows only its own account."""
        module = name.replace("-", "_")
        plan = self.seeded.get("plan", "")
        own = {"DEMO_TARGET_URL": self.servers.application_url(), "DEMO_PLAN": str(plan)}
        self.keep_running(name, "-m", f"demo.{module}", extra=own)

    def stop_application(self, name: str) -> None:
        """Stop one version of the application for good, as before contract."""
        self.children.pop(name).stop()

    def _start(self) -> None:
        super()._start()
        with self.step(TABLE_STEP):
            self.run("load", "-m", "demo.load", on_line=follow_load, extra={"DEMO_ADMIN_URL": self.admin_url()})
        with self.step("People, target and plan"):
            self.seeded = last_object(self.run("seed", "manage.py", "demo_seed"))
        with self.step("Two versions of an application"):
            self.start_application(OLD_APP)
            self.start_application(NEW_APP)

    def admin_url(self) -> str:
        """Return the target as its superuser sees it; for loading and for the check's own looking."""
        assert self.servers.target is not None
        return self.servers.target.url(TARGET_DATABASE)


def follow_load(line: str) -> None:
    """Draw the load's progress from its lines of the form 20000/200000."""
    if found := re.match(r"(\d+)/(\d+)\b", line):
        draw_bar(TABLE_STEP, int(found[1]), int(found[2]))


def last_object(printed: str) -> dict[str, Any]:
    """Return the JSON object on the last line; raises ProgramFailed where there is none."""
    for line in reversed(printed.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    raise ProgramFailed(f"demo_seed printed no JSON object but:\n{printed[-500:]}")
