"""Looks at a target step by step, as one would by hand: name, port, TLS, login, version, role, rights, replicas.

The first step that fails ends the way to the server; the steps behind it are said to be not looked at, so that nobody
takes silence for success. Nothing is written, on the target or here. Texts never hold what the server said.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace

from migrations_app.addresses import adapter_at
from workers.engine.adapters.base import Adapter, Address, Replica
from workers.engine.errors import EngineError, PrivilegeMissing, Unreachable, WrongPassword, WrongServer
from workers.engine.vocabulary import Identity, TableName

CONNECT_TIMEOUT_S = 3.0
"""Longer than any healthy network takes, short enough for a person who waits."""
TAG = "lockstep:check"
NO_TABLE = TableName("lockstep", "none")
"""Asks for the privileges that are needed whatever the table is."""
OLDEST_VERSION = {"postgresql": 14}
IS_ENCRYPTED = {
    "postgresql": "SELECT count(*) FROM pg_catalog.pg_stat_ssl WHERE ssl AND pid = pg_catalog.pg_backend_pid()",
}
HAS_STATEMENT_STATISTICS = {
    "postgresql": "SELECT count(*) FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements'",
}
STEPS = ("dns", "tcp", "tls", "login", "version", "primary", "privileges", "replicas", "statement_statistics")


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool | None
    """None: not looked at, since an earlier step failed."""
    text: str
    remedy: str = ""
    code: str = ""
    """Stable code of a failure; empty otherwise."""
    field: str = ""
    """The field that a failure is about, or empty."""
    needed: bool = True
    """False: good to know, but nothing fails without it."""


@dataclass(frozen=True)
class Place:
    """An address and the replicas that are registered for it as (name, host, port)."""

    address: Address
    replicas: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True)
class Found:
    checks: tuple[Check, ...]
    system: str = ""
    version: str = ""
    replicas: tuple[Replica, ...] = ()


def check_place(place: Place) -> Found:
    """Go through all steps; takes a few seconds at most where something does not answer."""
    way = list(_way_to(place.address))
    if any(check.ok is False for check in way):
        return Found(_with_rest(way))
    with adapter_at(place.address, tag=TAG) as adapter:
        try:
            identity = adapter.identity()
        except EngineError as error:
            return Found(_with_rest([*way, *_refused_entry(place.address, error)]))
        try:
            return _inside(place, way, adapter, identity)
        except EngineError as error:
            failed = Check("privileges", False, error.fact, error.remedy, error.code)
            return Found(_with_rest([*way, failed]), identity.system, identity.version)


def check_login(place: Place) -> tuple[Check, ...]:
    """Only find out whether the account gets in."""
    way = list(_way_to(place.address))
    if any(check.ok is False for check in way):
        return tuple(way)
    with adapter_at(place.address, tag=TAG) as adapter:
        try:
            adapter.identity()
        except EngineError as error:
            return (*way, *_refused_entry(place.address, error))
    return (*way, _entered(place.address))


def _way_to(address: Address) -> Iterator[Check]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        yield Check(
            "dns",
            False,
            f"The host {address.host} resolves to nothing.",
            "Check its spelling, and that the name server here knows it.",
            "host_not_found",
            "host",
        )
        return
    numbers = sorted({str(entry[4][0]) for entry in found})
    if any(_is_forbidden(number) for number in numbers):
        yield Check(
            "dns",
            False,
            f"The host {address.host} is at {', '.join(numbers)}, where no database can be.",
            "Give the database's own address.",
            "host_refused",
            "host",
        )
        return
    yield Check("dns", True, f"{address.host} is at {', '.join(numbers)}.")
    try:
        socket.create_connection((address.host, address.port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError:
        yield Check(
            "tcp",
            False,
            f"{address.host} does not answer on port {address.port}.",
            "Check the port, that the server runs and listens there, and that no firewall is in between.",
            Unreachable.code,
            "port",
        )
        return
    yield Check("tcp", True, f"Port {address.port} answers.")


def _is_forbidden(number: str) -> bool:
    """Link-local addresses are those of cloud metadata services; the others are nobody's."""
    address = ipaddress.ip_address(number.split("%")[0])
    return address.is_link_local or address.is_multicast or address.is_unspecified


def _refused_entry(address: Address, error: EngineError) -> Iterator[Check]:
    if error.field == "tls":
        yield Check("tls", False, error.fact, error.remedy, "tls_failed", "tls")
        return
    yield Check("tls", None, "Not looked at." if address.tls != "disable" else "Not asked for.")
    at = "password" if isinstance(error, WrongPassword) else error.field
    yield Check("login", False, error.fact, error.remedy, error.code, at)


def _entered(address: Address) -> Check:
    return Check("login", True, f"{address.user} is let in to the database {address.database}.")


def _inside(place: Place, way: list[Check], adapter: Adapter, identity: Identity) -> Found:
    address, checks = place.address, [*way]
    checks.append(_tls(adapter, address))
    checks.append(_entered(address))
    checks.append(_version(address.engine, identity.version))
    checks.append(_primary(identity, address))
    checks.extend(_privileges(adapter))
    seen = adapter.replicas() if identity.is_primary else ()
    checks.extend(_replicas(place, identity, seen))
    checks.append(_statistics(adapter, address.engine))
    return Found(tuple(checks), identity.system, identity.version, seen)


def _tls(adapter: Adapter, address: Address) -> Check:
    is_encrypted = bool(adapter.scalar(IS_ENCRYPTED[address.engine], CONNECT_TIMEOUT_S))
    if is_encrypted:
        verified = address.tls in ("verify-ca", "verify-full")
        return Check("tls", True, "Encrypted, and the server's certificate was checked." if verified else "Encrypted.")
    return Check(
        "tls",
        False,
        "The connection is not encrypted.",
        "Switch TLS on at the server and choose verify-full, unless the network between is your own.",
        "tls_off",
        "tls",
        needed=False,
    )


def _version(engine: str, version: str) -> Check:
    oldest, found = OLDEST_VERSION[engine], re.match(r"\d+", version)
    if found and int(found[0]) >= oldest:
        return Check("version", True, f"The server's version is {version}.")
    return Check(
        "version",
        False,
        f"The server's version is {version}; Lockstep needs {oldest} or later.",
        "Upgrade the server.",
        "unsupported",
    )


def _primary(identity: Identity, address: Address) -> Check:
    if identity.is_primary:
        return Check("primary", True, "It is the primary.")
    return Check(
        "primary",
        False,
        f"{address.host}:{address.port} is a replica and takes no writes.",
        "Register the primary, and give this one as its replica.",
        WrongServer.code,
        "host",
    )


def _privileges(adapter: Adapter) -> Iterator[Check]:
    missing = adapter.missing_grants(NO_TABLE)
    if not missing:
        yield Check("privileges", True, "The account may do all that does not depend on the table.")
    for grant in missing:
        yield Check(
            "privileges",
            False,
            f"The account lacks {grant.privilege}, which is needed for {grant.needed_for}.",
            f"{grant.grant};",
            PrivilegeMissing.code,
            "username",
        )


def _replicas(place: Place, identity: Identity, seen: tuple[Replica, ...]) -> Iterator[Check]:
    for index, (name, host, port) in enumerate(place.replicas):
        yield _replica(place.address, identity, name, host, port, f"replicas.{index}.host")
    unregistered = len(seen) - len(place.replicas)
    if unregistered > 0:
        yield Check(
            "replicas",
            False,
            f"The primary reports {len(seen)} replicas, of which {len(place.replicas)} are registered.",
            "Register the others as well: only a registered replica's lag holds a run back.",
            "replica_unregistered",
            needed=False,
        )
    elif not place.replicas:
        yield Check("replicas", True, "The primary reports no replica.")


def _replica(primary: Address, identity: Identity, name: str, host: str, port: int, at: str) -> Check:
    address = replace(primary, host=host, port=port)
    way = list(_way_to(address))
    failed = next((check for check in way if check.ok is False), None)
    if failed:
        return replace(failed, name="replicas", text=f"Replica {name}: {failed.text}", field=at)
    with adapter_at(address, tag=TAG) as adapter:
        try:
            found = adapter.identity()
        except EngineError as error:
            return Check("replicas", False, f"Replica {name}: {error.fact}", error.remedy, error.code, at)
    if found.is_primary or found.system != identity.system:
        return Check(
            "replicas",
            False,
            f"Replica {name}: {host}:{port} is no replica of this server.",
            "Give the address of one of its own replicas.",
            WrongServer.code,
            at,
        )
    return Check("replicas", True, f"Replica {name} answers.")


def _statistics(adapter: Adapter, engine: str) -> Check:
    if adapter.scalar(HAS_STATEMENT_STATISTICS[engine], CONNECT_TIMEOUT_S):
        return Check("statement_statistics", True, "Statement statistics are on.")
    return Check(
        "statement_statistics",
        False,
        "Statement statistics are off, so reads of a column cannot be counted.",
        "Load pg_stat_statements and create its extension in this database; or confirm by hand that a side is unused.",
        "statement_statistics_off",
        needed=False,
    )


def _with_rest(checks: list[Check]) -> tuple[Check, ...]:
    """Add the steps that were not reached."""
    reached = {check.name for check in checks}
    return (*checks, *(Check(name, None, "Not looked at.") for name in STEPS if name not in reached))
