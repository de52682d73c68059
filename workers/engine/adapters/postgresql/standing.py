"""Makes sure that a sync stands as it was started: the same table, key and mapped columns, both triggers enabled."""

from __future__ import annotations

from workers.engine.adapters.postgresql import ledger
from workers.engine.adapters.postgresql.catalogue import Found
from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.adapters.postgresql.sync import EVENTS, trigger_name
from workers.engine.errors import Drifted
from workers.engine.vocabulary import Sync

STANDING = """
SELECT c.oid = ($4::jsonb ->> 'oid')::oid
  AND (SELECT count(*) FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
       WHERE t.tgrelid = c.oid AND t.tgname = ANY($3::text[]) AND t.tgenabled IN ('O', 'A')
         AND p.pronamespace = 'lockstep'::regnamespace) = cardinality($3::text[])
  AND (SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod))
       FROM pg_attribute AS a
       WHERE a.attrelid = c.oid AND $4::jsonb -> 'columns' ? a.attname::text) = $4::jsonb -> 'columns'
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
"""


def fingerprint(sync: Sync, found: Found) -> dict[str, object]:
    """What of the table must stay as it is while the sync stands; kept in the ledger with the sync."""
    names = {*sync.old, *sync.new, *found.shape.key}
    return {
        "oid": found.oid,
        "columns": {column.name: column.type for column in found.shape.columns if column.name in names},
    }


def require_sync(transaction: Transaction, sync: Sync) -> None:
    """Raise Drifted unless table and triggers are as they were when the sync was started."""
    entry = ledger.read(transaction, "sync", sync.table, sync.name)
    if entry is None:
        raise Drifted(f"The sync {sync.name} does not stand.", remedy="Start dual-write again.")
    names = [trigger_name(sync.name, event) for event in EVENTS]
    if transaction.value(STANDING, sync.table.schema, sync.table.name, names, ledger.as_json(entry)) is not True:
        raise Drifted(
            f"The table {sync.table} or its sync was changed since dual-write began.",
            remedy="Look at who changed columns or triggers; then roll back to before dual-write, and go on anew.",
        )
