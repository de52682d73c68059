"""A target as somebody describes it: each field checked on its own, before anything is connected to.

Fields only, never a DSN or a URI, and nothing in them that a driver would read as an option, a list of hosts or a path.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from migrations_app.models import Target
from migrations_app.secret_box import read_reference
from migrations_app.services.errors import InputRefused
from migrations_app.services.target_checks import Place
from workers.engine.adapters.base import ENGINES, Address

TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
WHERE = ("host", "port", "database", "username", "tls", "tls_ca_file")
"""Fields that decide to whom the password is shown."""


@dataclass(frozen=True)
class ReplicaFields:
    name: str
    host: str
    port: int = 5432


@dataclass(frozen=True)
class TargetFields:
    """A target as somebody describes it, checked one field at a time. Its repr hides the password."""

    name: str
    host: str
    database: str
    username: str
    secret_kind: str
    port: int = 5432
    project: str = "default"
    environment: str = Target.Environment.PRODUCTION
    engine: str = "postgresql"
    tls: str = "prefer"
    tls_ca_file: str = ""
    secret_reference: str = ""
    password: str = field(default="", repr=False)
    """Only with the sealed kind; elsewhere it lies behind the reference."""
    replicas: tuple[ReplicaFields, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> TargetFields:
        """Raise InputRefused naming the field that is wrong."""
        known = {known.name for known in fields(cls)}
        for name in raw:
            if name not in known:
                raise InputRefused(f'A target has no field "{name}".', remedy="Remove it.", field=str(name))
        for name in ("name", "host", "database", "username", "secret_kind"):
            if not raw.get(name):
                raise InputRefused(f"{name} is missing.", field=name)
        replicas = raw.get("replicas") or ()
        for name, value in raw.items():
            if name not in ("port", "replicas") and not isinstance(value, str):
                raise InputRefused(f"{name} is text.", field=name)
        parsed = cls(**{**raw, "replicas": parse_replicas(replicas)})
        check_fields(parsed)
        return parsed

    def place(self, password: str) -> Place:
        return Place(
            Address(
                engine=self.engine,
                host=self.host,
                port=self.port,
                database=self.database,
                user=self.username,
                password=password,
                tls=self.tls,
                tls_ca_file=self.tls_ca_file,
            ),
            tuple((replica.name, replica.host, replica.port) for replica in self.replicas),
        )


def fields_of(target: Target) -> TargetFields:
    """Return a saved target as fields, without its password."""
    return TargetFields(
        name=target.name,
        project=target.project,
        environment=target.environment,
        engine=target.engine,
        **{name: getattr(target, name) for name in WHERE},
        secret_kind=target.secret_kind,
        secret_reference=target.secret_reference,
        replicas=tuple(ReplicaFields(row.name, row.host, row.port) for row in target.replicas.all()),
    )


def parse_replicas(raw: Sequence[Mapping[str, Any]]) -> tuple[ReplicaFields, ...]:
    """Raise InputRefused naming the field, such as `replicas.0.host`."""
    replicas = []
    for index, item in enumerate(raw):
        at = f"replicas.{index}"
        if not isinstance(item, Mapping) or set(item) - {"name", "host", "port"}:
            raise InputRefused("A replica has a name, a host and a port.", field=at)
        replica = ReplicaFields(str(item.get("name", "")), str(item.get("host", "")), item.get("port", 5432))
        _check_name(replica.name, f"{at}.name")
        _check_host(replica.host, f"{at}.host")
        _check_port(replica.port, f"{at}.port")
        replicas.append(replica)
    if len({replica.name for replica in replicas}) < len(replicas):
        raise InputRefused("Two replicas have the same name.", field="replicas")
    return tuple(replicas)


def given_password(wanted: TargetFields) -> str:
    """Return the password itself, or what lies behind the reference; raises SecretUnavailable."""
    if wanted.secret_kind == Target.SecretKind.SEALED:
        return wanted.password
    return read_reference(wanted.secret_kind, wanted.secret_reference)


def check_fields(wanted: TargetFields) -> None:
    """Raise InputRefused naming the first field that is wrong."""
    _check_name(wanted.name, "name")
    _check_name(wanted.project, "project")
    _one_of(wanted.environment, Target.Environment.values, "environment")
    _one_of(wanted.engine, ENGINES, "engine")
    _check_host(wanted.host, "host")
    _check_port(wanted.port, "port")
    for name in ("database", "username"):
        _check_identifier(getattr(wanted, name), name)
    _one_of(wanted.tls, TLS_MODES, "tls")
    if wanted.tls_ca_file and not re.fullmatch(r"/[A-Za-z0-9._/-]{1,254}", wanted.tls_ca_file):
        raise InputRefused("The CA file is given by its absolute path.", field="tls_ca_file")
    _one_of(wanted.secret_kind, Target.SecretKind.values, "secret_kind")
    is_sealed = wanted.secret_kind == Target.SecretKind.SEALED
    if is_sealed and not wanted.password:
        raise InputRefused("The password is missing.", remedy="Give it, or a reference to it.", field="password")
    if len(wanted.password) > 1024 or "\0" in wanted.password:
        raise InputRefused("A password has at most 1,024 characters and no zero byte.", field="password")
    if is_sealed and wanted.secret_reference:
        raise InputRefused("A sealed password has no reference.", field="secret_reference")
    if not is_sealed and wanted.password:
        raise InputRefused("Give the password or a reference to it, not both.", field="password")


def _check_name(name: object, at: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputRefused(
            "A name has up to 64 letters, digits, blanks, dots, dashes and underscores; the first is no sign.",
            field=at,
        )


def _check_host(host: object, at: str) -> None:
    if isinstance(host, str):
        if HOST.fullmatch(host):
            return
        try:
            ipaddress.ip_address(host)
            return
        except ValueError:
            pass
    raise InputRefused(
        "This is neither a host name nor an IP address.",
        remedy="Give one host, without port, path or options.",
        code="host_refused",
        field=at,
    )


def _check_port(port: object, at: str) -> None:
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65_535:
        raise InputRefused("A port is a number from 1 to 65535.", field=at)


def _check_identifier(name: object, at: str) -> None:
    if (
        not isinstance(name, str)
        or not 0 < len(name.encode()) <= 63
        or not name.isprintable()
        or re.search(r"[='\\/?@]|://", name)
    ):
        raise InputRefused(f"The {at} is a plain name of at most 63 bytes.", field=at)


def _one_of(value: object, known: Sequence[str] | Mapping[str, str], at: str) -> None:
    if value not in known:
        raise InputRefused(f"{at} is one of: {', '.join(known)}.", field=at)
