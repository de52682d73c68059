"""A database in memory, held to the same laws and contracts as the real ones: for tests, and to read the rules in.

`sync.py` says what a sync does to one row, `server.py` is the database that applications write to, `adapter.py` is
what the engine does to it.
"""

from workers.engine.adapters.memory.adapter import MemoryAdapter
from workers.engine.adapters.memory.server import MemoryServer, MemoryTable, WriteRefused
from workers.engine.adapters.memory.sync import Row, in_step, synced

__all__ = ["MemoryAdapter", "MemoryServer", "MemoryTable", "Row", "WriteRefused", "in_step", "synced"]
