"""Opens targets: the address with its password filled in, an adapter on it, and whether the right server answers.

The only place where a stored password is unsealed for use.
"""

from __future__ import annotations

from django.conf import settings

from migrations_app.models import Replica, Target
from migrations_app.secret_box import password_of
from workers.engine.adapters.base import Adapter, Address, adapter_for
from workers.engine.errors import WrongServer


def address_of(target: Target, replica: Replica | None = None) -> Address:
    """Return where the target, or one of its replicas, is. Holds the password: never log, store or send it."""
    return Address(
        engine=target.engine,
        host=replica.host if replica else target.host,
        port=replica.port if replica else target.port,
        database=target.database,
        user=target.username,
        password=password_of(target),
        tls=target.tls,
        tls_ca_file=target.tls_ca_file,
    )


def adapter_of(target: Target, replica: Replica | None = None, *, tag: str) -> Adapter:
    """Return an adapter that connects when it is first used; `tag` names its sessions on the target."""
    return adapter_at(address_of(target, replica), tag=tag)


def adapter_at(address: Address, *, tag: str) -> Adapter:
    """Return an adapter on an address that need not be saved yet, under the limits of the settings."""
    return adapter_for(
        address,
        tag=tag,
        lock_timeout_s=settings.LOCKSTEP_LOCK_TIMEOUT_S,
        statement_timeout_s=settings.LOCKSTEP_STATEMENT_TIMEOUT_S,
    )


def check_identity(adapter: Adapter, target: Target) -> None:
    """Raise WrongServer where the address answers as another server than the one that was registered."""
    identity = adapter.identity()
    if target.system and identity.system != target.system:
        raise WrongServer(
            f"{target.host}:{target.port} is another server than the one that {target.name} was registered for.",
            remedy="Correct the address, or register the new server as a target of its own.",
        )
    if not identity.is_primary:
        raise WrongServer(
            f"{target.host}:{target.port} is a replica, and cannot be written.",
            remedy="Let the address point to the primary.",
        )
