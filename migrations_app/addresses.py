"""Addresses of targets and replicas, with the password filled in; the only place where one is unsealed for use."""

from __future__ import annotations

from migrations_app.models import Replica, Target
from migrations_app.secret_box import password_of
from workers.engine.adapters.base import Address


def address_of(target: Target) -> Address:
    """Return where the target's primary is; raises SecretUnavailable. Never store, log or show what this returns."""
    return _address(target, target.host, target.port)


def address_of_replica(replica: Replica) -> Address:
    """Return where a replica is, to be asked with its target's own account."""
    return _address(replica.target, replica.host, replica.port)


def _address(target: Target, host: str, port: int) -> Address:
    return Address(
        engine=target.engine,
        host=host,
        port=port,
        database=target.database,
        user=target.username,
        password=password_of(target),
        tls=target.tls,
        tls_ca_file=target.tls_ca_file,
    )
