"""Where the demo's tests have their table: a database of their own on the target that `stack.servers` brought up."""

import os
from urllib.parse import urlsplit, urlunsplit

TARGET_URL = os.environ.get("LOCKSTEP_TEST_TARGET_URL", "")
DATABASE = "demo_test"


def with_database(url, *, user="", password=""):
    """Return the URL with the tests' database, and another account where one is named."""
    parts = urlsplit(url)
    account = f"{user}:{password}" if user else parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{account}@{parts.hostname}:{parts.port}", path=f"/{DATABASE}"))
