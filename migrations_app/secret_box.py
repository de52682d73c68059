"""Seals target passwords with a key of their own (LOCKSTEP_SEAL_KEY_FILE), or reads them by reference. Fails closed.

AES-256-GCM with the target's uid as associated data: a sealed text moved to another row does not open.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from migrations_app.models import Target
from workers.engine.errors import Refused


class SecretUnavailable(Refused):
    """A password cannot be had: the reference is empty, or the key does not open the seal."""

    code = "secret_unavailable"


def _key() -> bytes:
    path = Path(settings.LOCKSTEP_SEAL_KEY_FILE) if settings.LOCKSTEP_SEAL_KEY_FILE else None
    if path is None or not path.is_file():
        raise SecretUnavailable(
            "There is no key to seal passwords with.",
            remedy="Set LOCKSTEP_SEAL_KEY_FILE to a file of 32 random bytes in base64, "
            "or give the password by reference to an environment variable or file.",
            field="secret_kind",
        )
    key = base64.b64decode(path.read_text().strip())
    if len(key) != 32:
        raise SecretUnavailable(
            "The key in LOCKSTEP_SEAL_KEY_FILE is not 32 bytes long.", remedy="Make it with: openssl rand -base64 32"
        )
    return key


def seal(uid: str, password: str) -> str:
    """Return the sealed text of a password for the target with this uid."""
    nonce = os.urandom(12)
    sealed = AESGCM(_key()).encrypt(nonce, password.encode(), uid.encode())
    return base64.b64encode(nonce + sealed).decode()


def password_of(target: Target) -> str:
    """Return the target's password for a worker's connection; never log, store or show what this returns."""
    if target.secret_kind == Target.SecretKind.SEALED:
        raw = base64.b64decode(target.secret_sealed)
        try:
            return AESGCM(_key()).decrypt(raw[:12], raw[12:], str(target.uid).encode()).decode()
        except InvalidTag as error:
            raise SecretUnavailable(
                f"The sealed password of {target.name} does not open with the present key.",
                remedy="Bring the right key back, or enter the password anew.",
            ) from error
    return read_reference(target.secret_kind, target.secret_reference)


def read_reference(kind: str, reference: str) -> str:
    """Return the password behind an environment variable or a file; only prefixed names and one folder are read."""
    if kind == Target.SecretKind.ENVIRONMENT:
        prefix = settings.LOCKSTEP_SECRET_ENV_PREFIX
        if not reference.startswith(prefix):
            raise SecretUnavailable(
                f'The variable "{reference}" may not be read.',
                remedy=f"Use one whose name starts with {prefix}.",
                field="secret_reference",
            )
        if reference not in os.environ:
            raise SecretUnavailable(
                f'The environment variable "{reference}" is not set where Lockstep runs.',
                remedy="Set it for the web server, the workers and the supervisor, and start them again.",
                field="secret_reference",
            )
        return os.environ[reference]
    if not re.fullmatch(r"[A-Za-z0-9._-]+", reference):
        raise SecretUnavailable(
            f'"{reference}" is no plain file name.',
            remedy=f"Give the name of a file in {settings.LOCKSTEP_SECRET_DIR}.",
            field="secret_reference",
        )
    path = Path(settings.LOCKSTEP_SECRET_DIR) / reference
    if not path.is_file():
        raise SecretUnavailable(
            f"There is no file {reference} in {settings.LOCKSTEP_SECRET_DIR}.",
            remedy="Put it there, readable for the user that Lockstep runs as.",
            field="secret_reference",
        )
    return path.read_text().rstrip("\n")
