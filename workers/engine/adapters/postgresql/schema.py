"""The schema `lockstep` in the target: what is kept there, how it comes, and how nothing of it stays behind.

`plan` names who still needs the schema; everything of a plan hangs on its row. `lane` is the fence: whoever writes
locks its row, and only the epoch that stands in it may. `progress` holds the checkpoints, `made` what a plan put
into the target or took from it, `finding` the keys that a comparison found out of step. `control.stop` is the red
button for the whole target: UPDATE lockstep.control SET stop = true.
"""

from __future__ import annotations

from workers.engine.adapters.postgresql import ledger
from workers.engine.adapters.postgresql.names import qualified
from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.adapters.postgresql.statements import NOT_NULL_CHECK
from workers.engine.adapters.postgresql.sync import stop as stop_sync
from workers.engine.errors import Refused, WrongServer

INSTALL_LOCK = 7_310_579_001  # an advisory lock of ours alone: two installs, or an install and a removal

TABLES = {
    "control": "control_uid text NOT NULL, stop boolean NOT NULL DEFAULT false",
    "plan": "plan bigint PRIMARY KEY, installed_at timestamptz NOT NULL DEFAULT now()",
    "stop": """
        plan bigint PRIMARY KEY REFERENCES lockstep.plan ON DELETE CASCADE,
        run bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp()""",
    "lane": """
        plan bigint NOT NULL REFERENCES lockstep.plan ON DELETE CASCADE,
        lane integer NOT NULL,
        run bigint NOT NULL,
        epoch bigint NOT NULL,
        stopped boolean NOT NULL DEFAULT false,
        PRIMARY KEY (plan, lane)""",
    "progress": """
        plan bigint NOT NULL REFERENCES lockstep.plan ON DELETE CASCADE,
        operation bigint NOT NULL,
        phase text NOT NULL,
        action integer NOT NULL,
        lane integer NOT NULL,
        attempt bigint NOT NULL,
        run bigint NOT NULL,
        epoch bigint NOT NULL,
        cursor text,
        seq bigint NOT NULL DEFAULT 0,
        rows bigint NOT NULL DEFAULT 0,
        done boolean NOT NULL DEFAULT false,
        counters jsonb NOT NULL DEFAULT '{}',
        written_at timestamptz,
        PRIMARY KEY (plan, operation, phase, action, lane, attempt)""",
    "made": """
        plan bigint NOT NULL REFERENCES lockstep.plan ON DELETE CASCADE,
        kind text NOT NULL,
        schema_name text NOT NULL,
        table_name text NOT NULL,
        name text NOT NULL,
        detail jsonb NOT NULL DEFAULT '{}',
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (kind, schema_name, table_name, name)""",
    "finding": """
        plan bigint NOT NULL REFERENCES lockstep.plan ON DELETE CASCADE,
        operation bigint NOT NULL,
        run bigint NOT NULL,
        key text NOT NULL,
        PRIMARY KEY (plan, operation, run, key)""",
}

# The row is rewritten with every batch: room on its page keeps these updates out of the index.
STORAGE = {"progress": "WITH (fillfactor = 50)", "lane": "WITH (fillfactor = 50)"}

# By a query: to_regclass would answer from a cache that waiting for the advisory lock does not refresh.
INSTALLED = """
SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = 'lockstep' AND c.relname = 'control')
"""

# No row where there is no such schema.
FOREIGN = """
SELECT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid)
  OR EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = n.oid)
FROM pg_namespace AS n WHERE n.nspname = 'lockstep'
"""

# Objects that bear the plan's name, wherever they are; those of another plan differ in the letter after the number.
NAMED = """
SELECT 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass FROM pg_trigger AS t
WHERE NOT t.tgisinternal AND t.tgname LIKE $1
UNION ALL
SELECT 'column ' || a.attrelid::regclass || '.' || a.attname FROM pg_attribute AS a
WHERE a.attname LIKE $2 AND NOT a.attisdropped AND a.attnum > 0
  AND a.attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r')
UNION ALL
SELECT 'function ' || p.oid::regprocedure FROM pg_proc AS p
WHERE p.proname LIKE $2 AND p.pronamespace = to_regnamespace('lockstep')
UNION ALL
SELECT 'sequence ' || c.oid::regclass FROM pg_class AS c
WHERE c.relname LIKE $2 AND c.relkind = 'S' AND c.relnamespace = to_regnamespace('lockstep')
ORDER BY 1
"""


def is_installed(transaction: Transaction) -> bool:
    return transaction.value(INSTALLED) is True


def install(transaction: Transaction, plan: int, control_uid: str) -> None:
    """Make what is missing and note the plan; repeatable. Raises WrongServer for another control plane."""
    transaction.run("SELECT pg_advisory_xact_lock($1)", INSTALL_LOCK)
    _make_schema(transaction)
    owner = transaction.value("SELECT control_uid FROM lockstep.control")
    if owner is None:
        transaction.run("INSERT INTO lockstep.control (control_uid) VALUES ($1)", control_uid)
    elif owner != control_uid:
        raise WrongServer(
            "Another control plane works on this database.",
            remedy="Complete or revert its plans there first; if it is gone for good, drop the schema lockstep.",
        )
    transaction.run("INSERT INTO lockstep.plan (plan) VALUES ($1) ON CONFLICT DO NOTHING", plan)


def _make_schema(transaction: Transaction) -> None:
    if is_installed(transaction):
        return
    is_filled = transaction.value(FOREIGN)
    if is_filled is None:
        transaction.run("CREATE SCHEMA lockstep")
    elif is_filled:
        raise Refused("There is a schema lockstep that Lockstep did not make.", remedy="Rename it, and try again.")
    for name, columns in TABLES.items():
        transaction.run(f"CREATE TABLE lockstep.{name} ({columns}) {STORAGE.get(name, '')}")


def remove(transaction: Transaction, plan: int) -> None:
    """Remove syncs and records of the plan, and the schema with the last one; columns hold data and stay."""
    transaction.run("SELECT pg_advisory_xact_lock($1)", INSTALL_LOCK)
    if not is_installed(transaction):
        return
    retired = ledger.entries(transaction, plan, "retired")
    if retired:
        raise Refused(
            f'The column "{retired[0].name}" is retired and still holds data.',
            remedy="Restore or purge it, then remove the plan.",
        )
    for entry in ledger.entries(transaction, plan, "sync"):
        for statement in stop_sync(entry.table, entry.name):
            transaction.run(statement)
    for entry in ledger.entries(transaction, plan, "relaxed"):
        transaction.run(f"ALTER TABLE IF EXISTS {qualified(entry.table)} DROP CONSTRAINT IF EXISTS {NOT_NULL_CHECK}")
    transaction.run("DELETE FROM lockstep.plan WHERE plan = $1", plan)
    if transaction.value("SELECT NOT EXISTS (SELECT FROM lockstep.plan)"):
        transaction.run(f"DROP TABLE {', '.join(f'lockstep.{name}' for name in reversed(TABLES))}")
        if not transaction.value(FOREIGN):
            transaction.run("DROP SCHEMA lockstep")


def leftovers(transaction: Transaction, plan: int) -> tuple[str, ...]:
    patterns = (f"zz\\_lockstep\\_p{int(plan)}o%", f"lockstep\\_p{int(plan)}o%")
    found = [name for (name,) in transaction.rows(NAMED, *patterns)]
    if is_installed(transaction):
        for table in TABLES:
            if table == "control":
                continue
            rows = transaction.value(f"SELECT count(*) FROM lockstep.{table} WHERE plan = $1", plan)
            if rows:
                found.append(f"rows in lockstep.{table}: {rows}")
    return tuple(found)
