"""Reads what the server says of itself and of one table: identity, columns, key, triggers, what hangs on columns."""

from __future__ import annotations

from dataclasses import dataclass

from workers.engine.adapters.base import MissingGrant
from workers.engine.adapters.postgresql.names import checked
from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.errors import NoUsableKey, TableNotFound
from workers.engine.vocabulary import Column, Dependant, Identity, TableName, TableShape, Trigger

TRIGGER_PREFIX = "zz_lockstep_"
"""PostgreSQL fires the triggers of one event in the order of their names; a sync has to see what the others did."""

IDENTITY = """
SELECT (SELECT system_identifier FROM pg_control_system())::text,
  CASE WHEN pg_is_in_recovery()
    THEN COALESCE((SELECT received_tli FROM pg_stat_wal_receiver),
                  (SELECT timeline_id FROM pg_control_checkpoint()))
    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
  END,
  current_database()::text, NOT pg_is_in_recovery(), current_setting('server_version')
"""

TABLE = """
SELECT c.oid, c.relkind::text, GREATEST(c.reltuples, 0)::bigint, pg_table_size(c.oid),
  row_security_active(c.oid), c.relispartition, c.reloftype <> 0,
  EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)),
  c.relreplident = 'n' OR (c.relreplident = 'd' AND NOT EXISTS (
    SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""

# What a default calls is only told by its tree: a function by its oid, an operator by that of its own.
# Functions outside pg_catalog count as volatile: under the sync's empty search_path they may even fail.
COLUMNS = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
  CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
  COALESCE(d.adbin::text ~ '{NEXTVALUEEXPR' OR EXISTS (
    SELECT FROM regexp_matches(d.adbin::text, ':(funcid|opfuncid|opno) (\\d+)', 'g') AS called(part)
    LEFT JOIN pg_operator AS o ON part[1] = 'opno' AND o.oid = part[2]::oid
    JOIN pg_proc AS p ON p.oid = CASE part[1] WHEN 'opno' THEN o.oprcode ELSE part[2]::oid END
    WHERE p.provolatile = 'v' OR p.pronamespace <> 'pg_catalog'::regnamespace
      OR p.proname IN ('current_setting', 'current_schema', 'current_schemas', 'current_query')
  ) OR pg_get_expr(d.adbin, d.adrelid)
    ~ '\\m(CURRENT_USER|CURRENT_ROLE|SESSION_USER|USER|CURRENT_SCHEMA)\\M',
  false),
  a.attgenerated <> '', a.attidentity <> '',
  CASE WHEN a.atttypid = 'pg_catalog.varchar'::regtype AND a.atttypmod > 4 THEN a.atttypmod - 4 END
FROM pg_attribute AS a
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""

# Operators are found by name under an empty search_path, so only types whose operators live in pg_catalog will do.
# A key in another order than its column's own (opclass, collation) would be sorted anew for each batch.
KEY = """
SELECT array_agg(a.attname::text ORDER BY k.position),
  array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY k.position)
FROM pg_index AS i
CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[])
  WITH ORDINALITY AS k(attnum, opclass, collation_oid, position)
JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
JOIN pg_type AS t ON t.oid = a.atttypid
JOIN pg_type AS base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
JOIN pg_opclass AS o ON o.oid = k.opclass
WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND k.position <= i.indnkeyatts
GROUP BY i.indexrelid, i.indisprimary, i.indnkeyatts
HAVING bool_and(a.attnotnull AND o.opcdefault AND k.collation_oid = a.attcollation
    AND (base.typnamespace = 'pg_catalog'::regnamespace OR base.typtype = 'e'))
  AND count(*) = i.indnkeyatts
ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1
"""

TRIGGERS = """
SELECT tgname::text, tgtype::int, tgenabled::text FROM pg_trigger
WHERE tgrelid = $1 AND NOT tgisinternal ORDER BY tgname
"""

DEPENDANTS = """
WITH hanging AS (
  SELECT d.classid, d.objid, d.deptype, a.attname::text AS name, a.attnum
  FROM pg_depend AS d
  JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.refobjsubid > 0
), named AS (
  SELECT CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind,
    v.oid::regclass::text AS dependant, h.name
  FROM hanging AS h JOIN pg_rewrite AS r ON h.classid = 'pg_rewrite'::regclass AND r.oid = h.objid
  JOIN pg_class AS v ON v.oid = r.ev_class
  UNION
  SELECT CASE WHEN i.indisunique THEN 'unique index' ELSE 'index' END, i.indexrelid::regclass::text, h.name
  FROM hanging AS h JOIN pg_index AS i ON h.classid = 'pg_class'::regclass
    AND i.indexrelid = h.objid
  UNION
  SELECT CASE c.contype WHEN 'c' THEN 'check' WHEN 'u' THEN 'unique' WHEN 'p' THEN 'primary key'
    WHEN 'x' THEN 'exclusion' ELSE CASE WHEN c.conrelid = $1 THEN 'foreign key' ELSE 'referenced by' END END,
    format('%I on %s', c.conname, c.conrelid::regclass), h.name
  FROM hanging AS h JOIN pg_constraint AS c
    ON h.classid = 'pg_constraint'::regclass AND c.oid = h.objid
  WHERE c.contype IN ('c', 'u', 'p', 'x', 'f') AND c.conname NOT LIKE 'lockstep\\_%'
  UNION
  SELECT 'generated column', g.attname::text, h.name
  FROM hanging AS h JOIN pg_attrdef AS d ON h.classid = 'pg_attrdef'::regclass AND d.oid = h.objid
  JOIN pg_attribute AS g ON g.attrelid = d.adrelid AND g.attnum = d.adnum AND g.attgenerated <> ''
  WHERE d.adrelid <> $1 OR d.adnum <> h.attnum
  UNION
  SELECT 'trigger', t.tgname::text, h.name
  FROM hanging AS h JOIN pg_trigger AS t ON h.classid = 'pg_trigger'::regclass AND t.oid = h.objid
  WHERE NOT t.tgisinternal AND t.tgname NOT LIKE 'zz\\_lockstep\\_%'
  UNION
  SELECT 'policy', p.polname::text, h.name
  FROM hanging AS h JOIN pg_policy AS p ON h.classid = 'pg_policy'::regclass AND p.oid = h.objid
  UNION
  SELECT 'publication', p.pubname::text, h.name
  FROM hanging AS h JOIN pg_publication_rel AS r
    ON h.classid = 'pg_publication_rel'::regclass AND r.oid = h.objid
  JOIN pg_publication AS p ON p.oid = r.prpubid
  UNION
  SELECT 'statistics', s.stxname::text, h.name
  FROM hanging AS h JOIN pg_statistic_ext AS s
    ON h.classid = 'pg_statistic_ext'::regclass AND s.oid = h.objid
  UNION
  SELECT 'function', f.oid::regprocedure::text, h.name
  FROM hanging AS h JOIN pg_proc AS f ON h.classid = 'pg_proc'::regclass AND f.oid = h.objid
  UNION
  SELECT 'subscription', 'a subscription', '' FROM pg_subscription_rel WHERE srrelid = $1
)
SELECT kind, dependant, name FROM named ORDER BY name, kind, dependant
"""

UPDATES_PUBLISHED = """
SELECT p.pubname::text FROM pg_publication_tables AS t JOIN pg_publication AS p USING (pubname)
WHERE t.schemaname = $1 AND t.tablename = $2 AND p.pubupdate ORDER BY 1
"""

KINDS = {"p": "partitioned table", "v": "view", "m": "materialized view", "f": "foreign table"}

# Membership in a superuser would be far more than is needed: what such a role owns is handed over instead.
GRANTS = """
WITH place AS (
  SELECT c.oid, c.relowner, n.oid AS schema_oid, n.nspname,
    format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2
), wanted AS (
  SELECT 1 AS position, 'CREATE on the database' AS privilege, 'making the schema lockstep' AS needed_for,
    format('GRANT CREATE ON DATABASE %I TO %I', current_database(), CURRENT_USER) AS statement,
    EXISTS (SELECT FROM pg_namespace WHERE nspname = 'lockstep')
      OR has_database_privilege(current_database(), 'CREATE') AS given
  UNION ALL
  SELECT 2, 'ownership of the schema lockstep', 'keeping progress there',
    CASE WHEN r.rolsuper THEN format('ALTER SCHEMA lockstep OWNER TO %I', CURRENT_USER)
      ELSE format('GRANT %I TO %I', r.rolname, CURRENT_USER) END,
    pg_has_role(nspowner, 'USAGE')
  FROM pg_namespace JOIN pg_roles AS r ON r.oid = nspowner WHERE nspname = 'lockstep'
  UNION ALL
  SELECT 3, format('USAGE on the schema %I', nspname), 'reaching the table',
    format('GRANT USAGE ON SCHEMA %I TO %I', nspname, CURRENT_USER),
    has_schema_privilege(schema_oid, 'USAGE')
  FROM place
  UNION ALL
  SELECT 4, format('ownership of %s', name), 'adding columns and triggers',
    CASE WHEN r.rolsuper THEN format('ALTER TABLE %s OWNER TO %I', name, CURRENT_USER)
      ELSE format('GRANT %I TO %I', r.rolname, CURRENT_USER) END,
    pg_has_role(relowner, 'USAGE')
  FROM place JOIN pg_roles AS r ON r.oid = relowner
  UNION ALL
  SELECT 5, format('%s on %s', right_name, name), purpose,
    format('GRANT %s ON %s TO %I', right_name, name, CURRENT_USER),
    has_table_privilege(place.oid, right_name)
  FROM place, (VALUES ('SELECT', 'reading rows'), ('UPDATE', 'the backfill'), ('TRIGGER', 'the sync'))
    AS wanted_right(right_name, purpose)
  UNION ALL
  SELECT 6, 'membership in pg_monitor', 'seeing replicas, locks and statistics',
    format('GRANT pg_monitor TO %I', CURRENT_USER), pg_has_role('pg_monitor', 'USAGE')
)
SELECT privilege, needed_for, statement FROM wanted WHERE NOT given ORDER BY position, privilege
"""


@dataclass(frozen=True)
class Found:
    """A table's shape together with what only this engine needs of it."""

    shape: TableShape
    oid: int
    key_types: tuple[str, ...]


def read_identity(transaction: Transaction) -> Identity:
    row = transaction.row(IDENTITY)
    assert row is not None
    system, timeline, database, is_primary, version = row
    return Identity(system, int(timeline or 0), database, is_primary, version)


def read_table(transaction: Transaction, table: TableName) -> Found:
    """Raise TableNotFound. A table without a usable key has an empty one."""
    row = transaction.row(TABLE, checked(table.schema), checked(table.name))
    if row is None:
        raise TableNotFound(f"There is no table {table}.", remedy="Check schema and name.", field="table")
    oid, relkind, rows, size, row_security, is_partition, is_typed, inherits, is_keyless = row
    key, key_types = transaction.row(KEY, oid) or ((), ())
    dependants = tuple(Dependant(*found) for found in transaction.rows(DEPENDANTS, oid))
    if is_keyless:
        published = transaction.rows(UPDATES_PUBLISHED, table.schema, table.name)
        dependants += tuple(Dependant("publication without replica identity", name, "") for (name,) in published)
    special = "partition" if is_partition else "typed table" if is_typed else "inheritance" if inherits else "table"
    shape = TableShape(
        table=table,
        columns=tuple(_column(*found) for found in transaction.rows(COLUMNS, oid)),
        key=tuple(key),
        rows=rows,
        bytes=size,
        triggers=tuple(_trigger(*found) for found in transaction.rows(TRIGGERS, oid)),
        dependants=dependants,
        kind=KINDS.get(relkind, special),
        row_security=row_security,
    )
    return Found(shape, oid, tuple(key_types))


def require_key(found: Found) -> Found:
    if found.shape.kind == "table" and not found.shape.key:
        raise NoUsableKey(
            f"The table {found.shape.table} has no primary key, and no unique index over NOT NULL columns of built-in"
            " types in their usual order.",
            remedy="Add a primary key.",
            field="table",
        )
    return found


def read_missing_grants(transaction: Transaction, table: TableName) -> tuple[MissingGrant, ...]:
    rows = transaction.rows(GRANTS, checked(table.schema), checked(table.name))
    return tuple(MissingGrant(*row) for row in rows)


def _column(
    name: str,
    type_name: str,
    nullable: bool,
    default: str | None,
    default_is_volatile: bool,
    generated: bool,
    identity: bool,
    length: int | None,
) -> Column:
    return Column(
        name=name,
        type=type_name,
        nullable=nullable,
        default=default,
        default_is_volatile=default_is_volatile and not generated,
        generated=generated or identity,
        length=length,
    )


# Bits of pg_trigger.tgtype.
ROW, BEFORE, INSTEAD = 1, 2, 64
EVENTS = {4: "INSERT", 8: "DELETE", 16: "UPDATE", 32: "TRUNCATE"}


def _trigger(name: str, bits: int, enabled: str) -> Trigger:
    timing = "BEFORE" if bits & BEFORE else "INSTEAD OF" if bits & INSTEAD else "AFTER"
    events = tuple(event for bit, event in EVENTS.items() if bits & bit)
    is_rewriting = bool(bits & ROW) and timing == "BEFORE" and bool({"INSERT", "UPDATE"} & set(events))
    is_later = name.encode() > TRIGGER_PREFIX.encode() and not name.startswith(TRIGGER_PREFIX)
    return Trigger(name, timing, events, enabled=enabled != "D", after_ours=is_rewriting and is_later)
