"""PostgreSQL: sync by triggers, progress and fence in the schema `lockstep`, one transaction for each batch."""

from workers.engine.adapters.postgresql.adapter import PostgresAdapter

__all__ = ["PostgresAdapter"]
