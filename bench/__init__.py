"""Measures what Lockstep costs a database: run beside throw-away servers by `make bench`."""
