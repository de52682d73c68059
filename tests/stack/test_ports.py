"""Ports: the remembered one, else the default, else any free one."""

import socket

import pytest

from stack.ports import free_port, kept_ports, port_is_free


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_somebody_listens_on_is_not_free(taken_port):
    assert not port_is_free(taken_port)


def test_a_free_default_is_chosen(tmp_path):
    default = free_port()

    assert kept_ports(tmp_path / "ports.json", {"web": default}) == {"web": default}


def test_a_taken_default_gives_way_to_a_free_port(tmp_path, taken_port):
    chosen = kept_ports(tmp_path / "ports.json", {"web": taken_port})

    assert chosen["web"] != taken_port


def test_the_port_of_last_time_is_kept_before_the_default(tmp_path):
    first = kept_ports(tmp_path / "ports.json", {"web": None})

    assert kept_ports(tmp_path / "ports.json", {"web": free_port()}) == first
