"""The Celery tasks. They only wake things up: each may be lost, doubled or late without harm."""

from celery import shared_task

from workers import runner

LONGEST_S = 6 * 3600
"""A slice ends by itself; one statement, such as the validation of a constraint, may take hours on a large table."""


@shared_task(name="workers.advance_run", ignore_result=True, time_limit=LONGEST_S)
def advance_run(run_id: int, lane: int = 0) -> None:
    """Drive one lane of a run for one slice."""
    runner.advance_run(run_id, lane)
