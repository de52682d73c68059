"""manage.py demo_seed: the demo's people, target and submitted plan; prints them as one JSON object. May be repeated.

Reads the DEMO_ variables that the demo's stack sets. Passwords are made up once and kept in the state folder.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from migrations_app.lifecycle import PlanStatus
from migrations_app.models import Plan, Target, User
from migrations_app.services.approvals import gate_confirm
from migrations_app.services.errors import ServiceRefused
from migrations_app.services.people import password_set, person_create, roles_give
from migrations_app.services.plans import plan_create, plan_submit
from migrations_app.services.preflight import preflight_run
from migrations_app.services.targets import target_change, target_register, target_replicas_set
from migrations_app.services.tokens import token_issue
from workers.engine.errors import EngineError

PEOPLE = {
    # username: (full name, roles)
    "ann": ("Ann Author", ("author", "operator")),
    "paul": ("Paul Approver", ("approver",)),
    "olga": ("Olga On-Call", ("oncall",)),
}
PROGRAM = "new-app"
TARGET = "shop"
TITLE = "Split users.name into first and last name"
BACKFILL_S = 75  # long enough to watch, to pause and to abort
MAPPING: dict[str, Any] = {
    "schema": "public",
    "table": "users",
    "column": "name",
    "parts": [
        {"name": "first_name", "type": "text", "expression": "split_part(name, ' ', 1)"},
        {
            "name": "last_name",
            "type": "text",
            "expression": "case when strpos(name, ' ') > 0 then substr(name, strpos(name, ' ') + 1) end",
        },
    ],
    "join": "case when last_name is null then first_name else first_name || ' ' || last_name end",
}
RULES = {"soak_s": 30, "unused_s": 20, "hold_s": 20}  # days in real life
GUARDS: dict[str, Any] = {
    "probe": "SELECT version FROM public.users WHERE id = 7",
    "slo": 0.99,
    "latency_ms": 250,
    "windows": [  # hours in real life
        {"long_s": 60, "short_s": 5, "burn": 5, "action": "slow"},
        {"long_s": 60, "short_s": 10, "burn": 14.4, "action": "pause"},
        {"long_s": 60, "short_s": 10, "burn": 50, "action": "abort"},
    ],
    "cap": 0.1,
    "undo_cutover": False,
}
NO_BACKUP = "The demo's data are made up: make demo-reset makes them anew."


class Command(BaseCommand):
    help = "Make the demo's people, target and plan, and print them as JSON."

    def handle(self, **options: Any) -> None:
        state_dir = Path(os.environ["DEMO_STATE_DIR"])
        try:
            people = _people(state_dir)
            _program(state_dir)
            ann = User.objects.get(username="ann")
            target = _target(ann)
            plan = _plan(target, ann)
        except (ServiceRefused, EngineError) as error:
            raise CommandError(f"{error.fact} {error.remedy}") from error
        self.stdout.write(json.dumps({"people": people, "target": target.name, "plan": plan.pk}))


def _people(state_dir: Path) -> list[dict[str, str]]:
    """Make the accounts, or see to it that the passwords kept in the state folder let them in."""
    path = state_dir / "people.json"
    passwords = json.loads(path.read_text()) if path.exists() else {}
    for username in PEOPLE:
        passwords.setdefault(username, secrets.token_urlsafe(9))
    _write_private(path, json.dumps(passwords))
    for username, (full_name, roles) in PEOPLE.items():
        user = User.objects.filter(username=username).first()
        if user is None:
            user = person_create(username, password=passwords[username], roles=roles, full_name=full_name)
        elif not user.check_password(passwords[username]):
            password_set(user, passwords[username])
        roles_give(user, roles)
    return [
        {"name": full_name, "roles": ", ".join(roles), "username": username, "password": passwords[username]}
        for username, (full_name, roles) in PEOPLE.items()
    ]


def _program(state_dir: Path) -> None:
    """Give the new version of the application a token with which to ask for the plan's phases."""
    path = state_dir / f"{PROGRAM}.token"
    user = User.objects.filter(username=PROGRAM).first()
    if user is None:
        user = person_create(PROGRAM, password=secrets.token_urlsafe(32), roles=["viewer"], full_name=PROGRAM)
    if not path.exists():
        _write_private(path, token_issue(user, PROGRAM, days=366)[1])


def _target(ann: User) -> Target:
    """Register the target; where it has another port than last time, say so to Lockstep."""
    host, port = os.environ["DEMO_TARGET_HOST"], int(os.environ["DEMO_TARGET_PORT"])
    variable = os.environ["DEMO_TARGET_PASSWORD_VARIABLE"]
    replicas = [{"name": "replica", "host": host, "port": int(os.environ["DEMO_REPLICA_PORT"])}]
    target = Target.objects.filter(name=TARGET).first()
    if target is None:
        return target_register(
            {
                "name": TARGET,
                "project": "demo",
                "environment": "production",
                "host": host,
                "port": port,
                "database": os.environ["DEMO_TARGET_DATABASE"],
                "username": os.environ["DEMO_TARGET_USER"],
                "secret_kind": "environment",
                "secret_reference": variable,
                "replicas": replicas,
            },
            actor=ann,
        )
    password = os.environ[variable]
    if (target.host, target.port) != (host, port):
        target = target_change(target, {"host": host, "port": port}, password=password, actor=ann)
    if [replica.port for replica in target.replicas.all()] != [replicas[0]["port"]]:
        target = target_replicas_set(target, replicas, password=password, actor=ann)
    return target


def _plan(target: Target, ann: User) -> Plan:
    """Make the plan and submit it; one that is there is left as far as it got."""
    plan = target.plans.exclude(status=PlanStatus.ABANDONED).order_by("-pk").first()
    if plan is None:
        plan = plan_create(target, TITLE, _content(), actor=ann)
        for gate in ("backup_before_dual_write", "backup_before_contract"):
            gate_confirm(plan, gate, actor=ann, reason=NO_BACKUP, override=True)
    if plan.status == PlanStatus.DRAFT and plan.revision == 1:
        plan = plan_submit(preflight_run(plan, actor=ann), actor=ann)
    return plan


def _content() -> dict[str, Any]:
    rows = int(os.environ["DEMO_ROWS"])
    rate = max(rows // BACKFILL_S, 1)
    return {
        "operations": [{"kind": "split_column", "parameters": MAPPING}],
        "limits": {
            "rate_rows_per_s": rate,
            "rate_rows_per_s_most": max(20_000, rate),
            "batch_rows": 500,
            "batch_rows_most": 2_000,
            "lag_slow_s": 1.0,
            "lag_hold_s": 2.0,
        },
        "rules": RULES,
        "guards": GUARDS,
    }


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
