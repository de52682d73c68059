"""The signals: measured reasons to slow or to wait. Importing this package registers every one, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

from workers.engine.throttle import Reading


class Server(Protocol):
    """The part of an adapter that signals ask. Each call may raise an EngineError."""

    def position(self) -> str: ...
    def replica_lag_s(self, position: str) -> float | None: ...
    def scalar(self, query: str, timeout_s: float) -> float | None: ...


@dataclass(frozen=True)
class Settings:
    """What a plan says of one signal; thresholds are in the signal's unit."""

    slow_at: float
    hold_at: float
    query: str = ""
    """The plan's own SELECT, for signals that run one."""
    timeout_s: float = 1.0


Read = Callable[[Server, Mapping[str, Server], Callable[[], float], Settings], Sequence[Reading]]
"""(primary, replicas by name, clock of epoch seconds, settings) -> readings. Never raises for a server that is away."""


@dataclass(frozen=True)
class Signal:
    """One thing that is measured, and from where on it slows and holds a run unless the plan says otherwise."""

    name: str
    title: str
    unit: str
    defaults: Settings
    read: Read


SIGNALS: dict[str, Signal] = {}

for _module in iter_modules(__path__):
    _signal: Signal = import_module(f"{__name__}.{_module.name}").SIGNAL
    SIGNALS[_signal.name] = _signal
