"""The supervisor: a process of its own that watches targets, wakes what is stuck, brakes, and carries out stops.

It needs neither Celery nor Redis nor the web server. Several may run: each target is watched by the one that holds
its lease, and a stop is carried out by whichever is first.
"""

from workers.supervisor.process import supervise

__all__ = ["supervise"]
