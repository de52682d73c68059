"""Asks the target how it fares: replicas, their lag, who uses a column, what the mapping loses, a query's number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from workers.engine.adapters.base import Replica, SyncUse, ThereAndBack, Usage, is_a_select
from workers.engine.adapters.postgresql.names import column_type, literal, qualified, quoted
from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.adapters.postgresql.sync import Rules, sequence_name
from workers.engine.errors import Refused, WrongServer
from workers.engine.vocabulary import Side, Sync, TableName

REPLICAS = """
SELECT application_name, COALESCE(host(client_addr), ''), COALESCE(state, '')
FROM pg_stat_replication ORDER BY application_name, pid
"""

POSITION = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn()::text END"

# The time of the last replayed commit is the primary's, and an idle primary makes it look old: a replica that has
# replayed the position is at 0, whatever that time says.
LAG = """
SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn,
  EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp())::double precision
"""
# A healthy replica is there within this time. Looking twice keeps the first write after an idle hour from reading as
# an hour of lag.
SECOND_LOOK = "SELECT pg_sleep(0.05)"

STATEMENTS_VIEW = """
SELECT quote_ident(n.nspname) || '.pg_stat_statements' FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""
# Statements of this account are left out: they are Lockstep's own.
CALLS = """
SELECT COALESCE(sum(calls), 0)::bigint, count(*),
  count(*) FILTER (WHERE query = '<insufficient privilege>')
FROM {view} WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND userid <> (SELECT oid FROM pg_roles WHERE rolname = CURRENT_USER)
  AND (query = '<insufficient privilege>' OR (query ~* $1 AND query ~* $2))
"""


def read_replicas(transaction: Transaction) -> tuple[Replica, ...]:
    return tuple(Replica(*row) for row in transaction.rows(REPLICAS))


def read_position(transaction: Transaction) -> str:
    position: str | None = transaction.value(POSITION)
    if position is None:
        raise WrongServer("The server is a replica.", remedy="Ask its primary for the position.")
    return position


def replica_lag_s(transaction: Transaction, position: str) -> float | None:
    if not transaction.value("SELECT pg_is_in_recovery()"):
        raise WrongServer("The server is no replica.", remedy="Give the address of a streaming replica.")
    if transaction.value(f"SELECT pg_last_wal_replay_lsn() < {literal(position)}::pg_lsn"):
        transaction.run(SECOND_LOOK)
    row = transaction.row(LAG, position)
    assert row is not None
    is_replayed, lag_s = row
    if is_replayed:
        return 0.0
    return None if lag_s is None else max(0.0, lag_s)


def read_usage(transaction: Transaction, table: TableName, columns: Sequence[str]) -> Usage:
    """Count by words: a statement counts where its text names the table and one of the columns."""
    view = transaction.value(STATEMENTS_VIEW)
    if view is None or not transaction.value("SELECT current_setting('pg_stat_statements.track', true)"):
        return Usage(None, "pg_stat_statements is not on; without it nobody can tell who still reads the column.")
    patterns = (_word(table.name), f"({'|'.join(map(_word, columns))})")
    row = transaction.row(CALLS.format(view=view), *patterns)
    assert row is not None
    calls, statements, hidden = row
    if hidden:
        return Usage(None, "The texts of other accounts' statements are hidden; GRANT pg_read_all_stats shows them.")
    return Usage(
        calls,
        f"{statements} statements in pg_stat_statements name {table.name} and {' or '.join(columns)};"
        " SELECT * is not seen.",
    )


def read_sync_use(transaction: Transaction, sync: Sync) -> SyncUse | None:
    """Count transactions, not rows; those that rolled back count too."""
    sequences = [sequence_name(sync.name, side) for side in (Side.OLD, Side.NEW)]
    if transaction.value("SELECT to_regclass($1) IS NULL", sequences[0]):
        return None
    counts = (f"(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence})" for sequence in sequences)
    row = transaction.row(f"SELECT {', '.join(counts)}")
    assert row is not None
    return SyncUse(*row)


def count_there_and_back(transaction: Transaction, sync: Sync, types: Mapping[str, str]) -> ThereAndBack:
    """One pass. `back` is worked out over what `ahead` gives, as it would be stored."""
    rules = Rules(sync)
    ahead = {mapping.column: rules.derived(mapping, Side.NEW) for mapping in sync.ahead}
    restored = {mapping.column: rules.derived(mapping, Side.OLD, "derived") for mapping in sync.back}
    lossy = " OR ".join(f"{rules.value(column, 'derived')} IS DISTINCT FROM {sql}" for column, sql in restored.items())
    lengths = {column: _length(types[column]) for column in sync.new if column in types}
    unfit = " OR ".join(f"length(derived.{quoted(column)}) > {length}" for column, length in lengths.items() if length)
    values = [
        *(f"{sql} AS {quoted(column)}" for column, sql in ahead.items()),
        *(quoted(column) for column in sync.old),
    ]
    row = transaction.row(
        f"SELECT count(*), count(*) FILTER (WHERE {lossy}),"
        f" count(*) FILTER (WHERE {unfit or 'false'})"
        f" FROM (SELECT {', '.join(values)} FROM {qualified(sync.table)} OFFSET 0) AS derived"
    )
    assert row is not None
    return ThereAndBack(*row)


def scalar(transaction: Transaction, query: str) -> float | None:
    """The transaction is read-only; the text is sent as one statement, so that nothing can follow it."""
    if not is_a_select(query):
        raise Refused("A signal's query is one SELECT.", remedy="Begin it with SELECT.")
    transaction.run("SELECT set_config('search_path', 'pg_catalog, public', true)")
    value = transaction.only_value(query)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return float(value) if math.isfinite(value) else None


def _length(spelling: str) -> int | None:
    canonical = column_type(spelling)
    return int(canonical.partition("(")[2].rstrip(")")) if "(" in canonical else None


def _word(name: str) -> str:
    """A regular expression for the name as a word of its own; letters beyond ASCII are left as they are."""
    escaped = "".join(character if character.isalnum() or character == "_" else f"\\{character}" for character in name)
    return f"(^|[^[:alnum:]_]){escaped}([^[:alnum:]_]|$)"
