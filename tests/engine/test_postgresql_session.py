"""What a server learns of us before it has proven who it is."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from workers.engine.adapters.base import Address
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.errors import WrongPassword

NO_TLS = b"N"
ASK_IN_THE_CLEAR = b"R" + struct.pack("!ii", 8, 3)
PATIENCE_S = 5


class Impostor(threading.Thread):
    """Speaks as much of the protocol as it takes to ask for a password in the clear."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.heard = b""

    def run(self) -> None:
        with self.listener, self.listener.accept()[0] as client:
            client.settimeout(PATIENCE_S)
            client.recv(8)
            client.sendall(NO_TLS)
            self.heard += client.recv(1024)
            client.sendall(ASK_IN_THE_CLEAR)
            while more := client.recv(1024):
                self.heard += more


def test_an_unproven_server_is_not_told_the_password_in_the_clear() -> None:
    impostor = Impostor()
    impostor.start()
    port = impostor.listener.getsockname()[1]
    address = Address("postgresql", "127.0.0.1", port, "shop", "lockstep", "its-secret", tls="prefer")

    with PostgresAdapter(address, tag="t", lock_timeout_s=1, statement_timeout_s=1) as adapter:
        with pytest.raises(WrongPassword, match="in the clear"):
            adapter.server_clock()

    impostor.join(PATIENCE_S)
    assert b"lockstep" in impostor.heard
    assert b"its-secret" not in impostor.heard
