"""PostgreSQL servers from the wheel, under every account that may run them."""

import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from stack.account import NAMESPACE, SWITCH_USER, Account, namespace_works
from stack.ports import free_port
from stack.postgres import PostgresServer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other accounts to run a server under")


@pytest.fixture
def a_server():
    """Return a function that makes and starts a server; all of them are destroyed afterwards."""
    made = []

    def start(data_dir, **options):
        server = PostgresServer.create(data_dir, free_port(), "pass'word", fast=True, **options)
        made.append(server)
        server.start()
        return server

    yield start
    for server in made:
        server.destroy()


@pytest.fixture
def open_folder():
    """A folder that every account can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="lockstep-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def one(server, query):
    with server.connect() as connection:
        return connection.execute(query).fetchone()[0]


def test_a_wrong_password_is_refused(primary):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(primary.url("postgres", password="wrong"))


def test_text_is_utf8_whatever_the_machine_speaks(primary):
    assert one(primary, "SELECT lower('ÄÖÜ') || current_setting('server_encoding')") == "äöüUTF8"


def test_statement_statistics_are_on(primary):
    assert one(primary, "SHOW shared_preload_libraries") == "pg_stat_statements"


def test_a_replica_has_what_the_primary_wrote(primary, tmp_path):
    replica = PostgresServer.replica_of(primary, tmp_path / "replica", free_port())
    replica.start()

    with primary.connect() as connection:
        connection.execute("CREATE TABLE told AS SELECT 7 AS number")
        position = connection.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
    with replica.connect() as connection:
        while connection.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", [position]).fetchone()[0]:
            pass
        told = connection.execute("SELECT number FROM told").fetchone()[0]
    replica.destroy()

    assert told == 7


def test_a_server_started_again_on_another_port_has_its_data(a_server, tmp_path):
    server = a_server(tmp_path / "kept")
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()

    server.port = free_port()
    server.start()

    assert one(server, "SELECT number FROM kept") == 7


def test_a_server_left_running_by_a_crash_is_taken_over(a_server, tmp_path):
    left = a_server(tmp_path / "left")

    found = PostgresServer.create(tmp_path / "left", free_port(), left.password, fast=True)
    found.start()

    assert one(found, "SHOW port") == str(found.port)


def test_a_pid_file_that_names_another_program_after_a_reboot_does_not_keep_it_from_starting(a_server, tmp_path):
    server = a_server(tmp_path / "rebooted")
    server.stop()
    (server.data_dir / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data_dir}\n")

    server.start()

    assert one(server, "SELECT 1") == 1


def test_a_stopped_server_does_not_run(a_server, tmp_path):
    server = a_server(tmp_path / "stopped")

    server.stop()

    assert not server.is_running()


@needs_root
def test_root_runs_a_server_below_a_folder_of_its_own(a_server, tmp_path):
    if not namespace_works():
        pytest.skip("user namespaces are forbidden here")
    tmp_path.chmod(0o700)

    server = a_server(tmp_path / "private", account=Account(NAMESPACE))

    assert one(server, "SELECT 1") == 1


@needs_root
def test_root_runs_a_server_without_user_namespaces(a_server, tmp_path, open_folder):
    server = a_server(tmp_path / "moved", account=Account(SWITCH_USER, open_folder / "servers"))

    assert one(server, "SELECT 1") == 1
