"""A database in which the table's owner may make its table, as in the demo."""

import psycopg
import pytest

from stack.target_roles import APPLICATION, EXECUTOR, TABLE_OWNER
from tests.demo.shop import DATABASE, TARGET_URL, with_database


@pytest.fixture
def shop_url():
    with psycopg.connect(TARGET_URL, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
        connection.execute(f"GRANT CREATE ON DATABASE {DATABASE} TO {EXECUTOR}")
    url = with_database(TARGET_URL)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {TABLE_OWNER}")
        connection.execute(
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {TABLE_OWNER} IN SCHEMA public"
            f" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APPLICATION}"
        )
    yield url
    with psycopg.connect(TARGET_URL, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
