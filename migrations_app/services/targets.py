"""Verbs on targets: register, change, replace the secret, name the replicas. Nothing is saved that does not work.

A target is given as fields, never as a DSN, so that no option of the driver can be smuggled in. Whoever changes where
the password is sent must know the password: otherwise pointing a target elsewhere would be a way to steal it.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from migrations_app import events
from migrations_app.authorize import authorize
from migrations_app.models import Replica, Target, User
from migrations_app.secret_box import password_of, seal
from migrations_app.services.errors import InputRefused, ServiceRefused
from migrations_app.services.target_checks import Check, Found, Place, check_login, check_place
from migrations_app.services.target_fields import (
    WHERE,
    ReplicaFields,
    TargetFields,
    check_fields,
    fields_of,
    given_password,
    parse_replicas,
)


class TargetUnusable(InputRefused):
    """The target, as it was described, cannot be worked with; `checks` is everything that was looked at."""

    def __init__(self, checks: Sequence[Check]) -> None:
        failed = next(check for check in checks if check.ok is False and check.needed)
        super().__init__(failed.text, remedy=failed.remedy, code=failed.code, field=failed.field)
        self.checks = tuple(checks)


def target_register(raw: Mapping[str, Any], *, actor: User) -> Target:
    """Save a target that passes every needed check; raises TargetUnusable with all of them, and then saves nothing."""
    wanted = TargetFields.parse(raw)
    authorize(actor, "target_register", Target(project=wanted.project, environment=wanted.environment))
    if Target.objects.filter(name=wanted.name).exists():
        raise _name_taken(wanted.name)
    uid = uuid.uuid4()
    found = _usable(wanted.place(given_password(wanted)))
    _refuse_known(found.system, wanted.database)
    try:
        with transaction.atomic():
            target = Target.objects.create(
                uid=uid,
                name=wanted.name,
                project=wanted.project,
                environment=wanted.environment,
                engine=wanted.engine,
                **{name: getattr(wanted, name) for name in WHERE},
                **_secret_columns(wanted.secret_kind, wanted.secret_reference, wanted.password, uid),
                system=found.system,
                version=found.version,
                registered_by=actor,
            )
            _write_replicas(target, wanted.replicas)
            events.record(target, "target_registered", _public(target), actor=actor)
    except IntegrityError as error:
        raise _name_taken(wanted.name) from error
    return target


def target_change(target: Target, raw: Mapping[str, Any], *, password: str = "", actor: User) -> Target:
    """Change where a target is, or its name; never which database it is.

    Address, account and TLS change only with its present password.
    """
    authorize(actor, "target_register", target)
    unchangeable = set(raw) - {"name", *WHERE}
    if unchangeable:
        name = sorted(unchangeable)[0]
        raise InputRefused(f"{name} cannot be changed here.", remedy="Register a target of its own.", field=name)
    before = fields_of(target)
    wanted = TargetFields.parse({**{f.name: getattr(before, f.name) for f in fields(before)}, **raw, "replicas": ()})
    moved = [name for name in WHERE if getattr(wanted, name) != getattr(before, name)]
    found = None
    if "database" in moved:  # the server would be the same one, and a plan would go on where it never began
        raise InputRefused(
            f"{target.name} is the database {before.database}; another one is another target.",
            remedy="Register it as a target of its own.",
            code="wrong_server",
            field="database",
        )
    if moved:
        _require_password(target, password, f"{', '.join(moved)} changes to whom the password is shown.")
        found = _usable(wanted.place(password_of(target)))
        if found.system != target.system:
            raise InputRefused(
                "The new address is another server than the one that this target was registered for.",
                remedy="Register it as a target of its own.",
                code="wrong_server",
                field="host",
            )
    try:
        with transaction.atomic():
            target = Target.objects.select_for_update().get(pk=target.pk)
            for name in ("name", *WHERE):
                setattr(target, name, getattr(wanted, name))
            if found:
                target.version = found.version
            target.save(update_fields=["name", "version", *WHERE])
            events.record(target, "target_changed", {"changed": moved, **_public(target)}, actor=actor)
    except IntegrityError as error:
        raise _name_taken(wanted.name) from error
    return target


def target_replace_secret(
    target: Target, *, secret_kind: str, secret_reference: str = "", password: str = "", actor: User
) -> Target:
    """Put another secret in the place of the present one, once it has been seen to let us in."""
    authorize(actor, "target_register", target)
    wanted = replace(
        fields_of(target), secret_kind=secret_kind, secret_reference=secret_reference, password=password, replicas=()
    )
    check_fields(wanted)
    checks = check_login(wanted.place(given_password(wanted)))
    if any(check.ok is False and check.needed for check in checks):
        raise TargetUnusable(checks)
    columns = _secret_columns(secret_kind, secret_reference, password, target.uid)
    with transaction.atomic():
        target = Target.objects.select_for_update().get(pk=target.pk)
        for name, value in columns.items():
            setattr(target, name, value)
        target.save(update_fields=[*columns])
        events.record(target, "secret_replaced", {"secret_kind": secret_kind}, actor=actor)
    return target


def target_test(about: Target | Mapping[str, Any], *, actor: User) -> tuple[Check, ...]:
    """Look at a target, or at one that is only described so far, step by step; changes nothing."""
    if isinstance(about, Target):
        authorize(actor, "target_test", about)
        return check_place(fields_of(about).place(password_of(about))).checks
    wanted = TargetFields.parse({"name": "unsaved", **about})
    authorize(actor, "target_register", Target(project=wanted.project, environment=wanted.environment))
    return check_place(wanted.place(given_password(wanted))).checks


def target_find_replicas(target: Target, *, actor: User) -> list[dict[str, Any]]:
    """Propose the replicas that the primary reports and that are not registered; a port is a guess, so check it."""
    authorize(actor, "target_test", target)
    found = _usable(replace(fields_of(target), replicas=()).place(password_of(target)))
    known = {replica.host for replica in target.replicas.all()}
    return [
        {"name": replica.name, "host": replica.host, "port": target.port, "state": replica.state}
        for replica in found.replicas
        if replica.host not in known
    ]


def target_replicas_set(target: Target, raw: Sequence[Mapping[str, Any]], *, password: str = "", actor: User) -> Target:
    """Say which replicas hold back a run. A new address is asked with the target's account: it takes the password."""
    authorize(actor, "target_register", target)
    wanted = parse_replicas(raw)
    known = {(replica.host, replica.port) for replica in target.replicas.all()}
    if any((replica.host, replica.port) not in known for replica in wanted):
        _require_password(target, password, "A new replica is asked with this target's password.")
    _usable(replace(fields_of(target), replicas=wanted).place(password_of(target)))
    with transaction.atomic():
        target = Target.objects.select_for_update().get(pk=target.pk)
        target.replicas.all().delete()
        _write_replicas(target, wanted)
        events.record(target, "replicas_set", {"replicas": [replica.name for replica in wanted]}, actor=actor)
    return target


def _secret_columns(kind: str, reference: str, password: str, uid: uuid.UUID) -> dict[str, Any]:
    is_sealed = kind == Target.SecretKind.SEALED
    return {
        "secret_kind": kind,
        "secret_reference": "" if is_sealed else reference,
        "secret_sealed": seal(str(uid), password) if is_sealed else "",
        "secret_set_at": timezone.now(),
    }


def _require_password(target: Target, password: str, why: str) -> None:
    if not password:
        raise InputRefused(
            why, remedy="Give the target's present password as well.", code="password_needed", field="password"
        )
    if not hmac.compare_digest(password.encode(), password_of(target).encode()):
        raise InputRefused("This is not the target's password.", code="wrong_password", field="password")


def _usable(place: Place) -> Found:
    found = check_place(place)
    if any(check.ok is False and check.needed for check in found.checks):
        raise TargetUnusable(found.checks)
    return found


def _write_replicas(target: Target, replicas: Sequence[ReplicaFields]) -> None:
    Replica.objects.bulk_create(
        Replica(target=target, name=replica.name, host=replica.host, port=replica.port) for replica in replicas
    )


def _public(target: Target) -> dict[str, Any]:
    names = ("name", "environment", "engine", "host", "port", "database", "username", "tls", "secret_kind", "version")
    return {name: getattr(target, name) for name in names}


def _refuse_known(system: str, database: str) -> None:
    """One database is one target: claims on its tables hold per target."""
    known = Target.objects.filter(system=system, database=database).first() if system else None
    if known is not None:
        raise ServiceRefused(
            f'This database is registered already, as "{known.name}".', remedy="Use that.", code="target_known"
        )


def _name_taken(name: str) -> ServiceRefused:
    return ServiceRefused(
        f'There is a target "{name}" already.', remedy="Choose another name.", code="name_taken", field="name"
    )
