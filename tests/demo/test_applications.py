"""The demo's programs as they are run: against a real table, with a stand-in for Lockstep's answer about phases."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from demo.load import load
from demo.proof import accounts, lost_writes
from stack.target_roles import APPLICATION, TABLE_OWNER
from tests.demo.shop import TARGET_URL, with_database

CLONE = Path(__file__).resolve().parent.parent.parent
ROWS = 1_000
# What the sync does, in its plainest form: enough for one application at a time on rows that are in step.
PLAIN_SYNC = """
ALTER TABLE public.users ADD COLUMN first_name text, ADD COLUMN last_name text;
UPDATE public.users SET first_name = split_part(name, ' ', 1),
    last_name = CASE WHEN strpos(name, ' ') > 0 THEN substr(name, strpos(name, ' ') + 1) END;
"""

pytestmark = pytest.mark.skipif(not TARGET_URL, reason="no target server: run below python -m stack.servers")


@pytest.fixture
def phases():
    """A stand-in for the API: a list of phases that a test may change, and the address that serves it."""

    class Plan(BaseHTTPRequestHandler):
        done: list[str] = []

        def do_GET(self):
            body = json.dumps({"phases": [{"name": name, "status": "done"} for name in self.done]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Plan)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Plan.url = f"http://127.0.0.1:{server.server_port}"
    yield Plan
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(tmp_path, shop_url, phases):
    """Start an application, and end it with SIGTERM once it has written enough; returns what its ledger says."""
    (tmp_path / "new-app.token").write_text("token")
    password = os.environ["LOCKSTEP_TEST_APP_PASSWORD"]
    environment = os.environ | {
        "DEMO_STATE_DIR": str(tmp_path),
        "DEMO_TARGET_URL": with_database(shop_url, user=APPLICATION, password=password),
        "DEMO_PLAN": "1",
        "LOCKSTEP_URL": phases.url,
    }

    def run_application(name, until):
        module = f"demo.{name.replace('-', '_')}"
        application = subprocess.Popen([sys.executable, "-m", module], env=environment, cwd=CLONE)
        try:
            wait_for(lambda: until(accounts(tmp_path)[name]))
        finally:
            application.send_signal(signal.SIGTERM)
            assert application.wait(10) == 0
        return accounts(tmp_path)[name]

    return run_application


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def test_loading_twice_leaves_the_table_as_it_is(shop_url, tmp_path):
    assert load(shop_url, ROWS) is True
    assert load(shop_url, ROWS) is False

    with psycopg.connect(shop_url) as connection:
        owner = connection.execute("SELECT count(*), min(tableowner) FROM users, pg_tables WHERE tablename = 'users'")
        assert owner.fetchone() == (ROWS, TABLE_OWNER)
    assert lost_writes(shop_url, tmp_path, ROWS) == []


def test_the_old_application_writes_what_its_ledger_says(shop_url, run, tmp_path):
    load(shop_url, ROWS)

    account = run("old-app", lambda account: len(account.versions) > 30)

    assert account.errors == ()
    assert len(account.latencies) > 30
    assert lost_writes(shop_url, tmp_path, ROWS) == []


def test_the_new_application_waits_for_dual_write(shop_url, run, phases):
    load(shop_url, ROWS)
    phases.done = ["expand"]
    waited = time.monotonic() + 2

    account = run("new-app", lambda account: time.monotonic() > waited)

    assert account.versions == {}
    assert account.errors == ()


def test_the_new_application_reads_and_writes_the_parts_once_its_phases_are_done(shop_url, run, phases, tmp_path):
    load(shop_url, ROWS)
    with psycopg.connect(shop_url) as connection:
        connection.execute(PLAIN_SYNC)
        connection.execute("ALTER TABLE public.users DROP COLUMN name")
    phases.done = ["expand", "dual_write", "backfill"]

    account = run("new-app", lambda account: len(account.versions) > 30)

    assert account.errors == ()
    assert lost_writes(shop_url, tmp_path, ROWS) == []


def test_a_write_undone_behind_its_back_is_found_by_the_application_itself(shop_url, run, tmp_path):
    load(shop_url, ROWS)

    def spoil(account):
        with psycopg.connect(shop_url, autocommit=True) as connection:
            connection.execute("UPDATE users SET name = 'lost' WHERE version > 0")
        return account.differences

    run("old-app", spoil)

    assert lost_writes(shop_url, tmp_path, ROWS)


def test_an_application_taken_out_of_service_gives_its_connection_back(shop_url, run, tmp_path):
    load(shop_url, ROWS)
    (tmp_path / "old-app.off").touch()
    waited = time.monotonic() + 1.5

    account = run("old-app", lambda account: time.monotonic() > waited)

    assert account.versions == {}
