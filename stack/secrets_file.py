"""Keeps the passwords and keys that a stack makes up for itself, so that its second start finds its own data again."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, repr=False)
class Secrets:
    """Passwords and keys of one stack; no repr, so that no traceback shows them."""

    control_superuser: str
    control: str
    target_superuser: str
    executor: str
    app: str
    redis: str
    django: str
    seal_key: str  # base64 of 32 bytes


def made_up() -> Secrets:
    """Return fresh secrets."""
    passwords = {name: secrets.token_hex(32) for name in Secrets.__annotations__ if name != "seal_key"}
    return Secrets(**passwords, seal_key=base64.b64encode(os.urandom(32)).decode())


def kept_secrets(folder: Path) -> Secrets:
    """Return the folder's secrets, made up and written at the first call."""
    path = folder / "secrets.json"
    if path.exists():
        return Secrets(**json.loads(path.read_text()))
    fresh = made_up()
    write_private(path, json.dumps(asdict(fresh), indent=1))
    return fresh


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.rename(path)
