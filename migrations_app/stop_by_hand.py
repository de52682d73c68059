"""The line of SQL that stops a plan's writing in its target without Lockstep: for when no supervisor is alive.

It forbids every further batch and ends the sessions of the run that are open now. It stands until somebody starts a
phase, resumes a run that was paused, or rolls back.
"""

from __future__ import annotations

LINES = {
    "postgresql": (
        "WITH stop AS (INSERT INTO lockstep.stop (plan, run) VALUES ({plan}, {run}) ON CONFLICT (plan) DO UPDATE"
        " SET run = EXCLUDED.run, at = clock_timestamp() RETURNING plan)"
        " SELECT count(pg_terminate_backend(pid)) FROM stop, pg_stat_activity"
        " WHERE starts_with(application_name, 'lockstep:p{plan}:r{run}:');"
    ),
}
ALL_OF_A_TARGET = {"postgresql": "UPDATE lockstep.control SET stop = true;"}


def stop_line(engine: str, plan: int, run: int | None) -> str:
    """Return the line for a run, or for everything on the target where none is active; empty for an unknown engine."""
    if run is None:
        return ALL_OF_A_TARGET.get(engine, "")
    return LINES.get(engine, "").format(plan=int(plan), run=int(run))
