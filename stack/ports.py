"""Finds ports on 127.0.0.1: the default where it is free, else another one."""

import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path

# Below Linux's range for outgoing connections (32768 and up), so that no client takes a port between check and use.
LOWEST_PORT = 20_000
HIGHEST_PORT = 32_000


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on this port now; the answer is old as soon as it is given."""
    with socket.socket() as probe:
        # Servers set it too; without it a port in TIME_WAIT from the last run would look taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port nobody listens on; drawn at random, so that stacks started at once do not meet."""
    for _ in range(1000):
        port = random.randint(LOWEST_PORT, HIGHEST_PORT)
        if port_is_free(port):
            return port
    raise OSError(f"no free port on 127.0.0.1 between {LOWEST_PORT} and {HIGHEST_PORT}; stop some servers")


def kept_ports(path: Path, defaults: Mapping[str, int | None]) -> dict[str, int]:
    """Return a port for each name: the one of last time, else the default, else (and for None) any free one.

    The file remembers them, so that bookmarks and registered targets stay true at the next start.
    """
    remembered: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    chosen: dict[str, int] = {}
    for name, default in defaults.items():
        wanted = remembered.get(name, default)
        chosen[name] = wanted if wanted is not None and port_is_free(wanted) else free_port()
    path.write_text(json.dumps(chosen))
    return chosen
