"""The only door to Celery and to the nudges: hints that may be lost, doubled or late without harm.

Both are sent after commit. A broker that is down is no error here: the supervisor re-enqueues what waits, and the
page asks for what it missed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from functools import cache

import redis
from celery import signature
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger("lockstep.dispatch")

STOP_CHANNEL = "lockstep_stop"
"""PostgreSQL NOTIFY channel of the control database on which the supervisor hears of an abort at once."""
NUDGE_PREFIX = "lockstep:nudge:"
"""Redis channels; the topic follows."""


def enqueue_run(run_id: int, lane: int = 0) -> None:
    """Ask for a slice of this lane once the transaction is committed."""
    transaction.on_commit(lambda: _send(run_id, lane))


def _send(run_id: int, lane: int) -> None:
    try:
        signature("workers.advance_run", args=[run_id, lane], immutable=True).apply_async(
            retry=False, expires=60, ignore_result=True
        )
    except (OSError, redis.RedisError, OperationalError) as error:
        logger.warning("hint lost", extra={"action": "hint_lost", "run": run_id, "error": type(error).__name__})


@cache
def _redis() -> redis.Redis:
    """Without retries: a hint is not worth waiting for, least of all between two batches or before an answer."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )


def plan_topic(plan_id: int) -> str:
    """Return the topic of a plan's news."""
    return f"plan:{plan_id}"


def session_topic(session_key: str) -> str:
    """Return the topic on which the sockets of a session hear that it ended; the key itself goes nowhere."""
    return f"session:{hashlib.sha256(session_key.encode()).hexdigest()}"


def publish_nudge(plan_id: int, last_seq: int | None = None) -> None:
    """Tell open pages of a plan that there is news; `last_seq` None for samples only.

    A plain PUBLISH on a channel of our own: the layer's group_send opens a Redis connection per call from sync code.
    """
    _publish(plan_topic(plan_id), {"last_seq": last_seq})


def publish_session_end(session_key: str) -> None:
    """Tell the sockets of a session to look at once whether it still stands."""
    _publish(session_topic(session_key), {"ended": True})


def _publish(topic: str, message: dict[str, object]) -> None:
    try:
        _redis().publish(f"{NUDGE_PREFIX}{topic}", json.dumps(message))
    except redis.RedisError as error:
        logger.warning("nudge lost", extra={"action": "nudge_lost", "topic": topic, "error": type(error).__name__})
