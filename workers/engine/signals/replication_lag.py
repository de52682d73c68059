"""How far each replica is behind the primary: a replica that cannot be asked may be the one that is far behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workers.engine.errors import EngineError
from workers.engine.signals import Server, Settings, Signal
from workers.engine.throttle import Reading


def read(
    primary: Server, replicas: Mapping[str, Server], clock: Callable[[], float], settings: Settings
) -> Sequence[Reading]:
    """Return one reading for each replica, dated when it was asked; None where it or the primary does not answer."""
    if not replicas:
        return []
    try:
        position = primary.position()
    except EngineError:
        position = None
    readings = []
    for name, replica in sorted(replicas.items()):
        at = clock()
        lag_s = None if position is None else _lag_s(replica, position)
        readings.append(Reading(SIGNAL.name, name, lag_s, settings.slow_at, settings.hold_at, SIGNAL.unit, at))
    return readings


def _lag_s(replica: Server, position: str) -> float | None:
    try:
        return replica.replica_lag_s(position)
    except EngineError:
        return None


SIGNAL = Signal(
    name="replication_lag",
    title="Replication lag",
    unit="s",
    defaults=Settings(slow_at=1.0, hold_at=2.0),  # between them readers of a replica begin to miss their own writes
    read=read,
)
