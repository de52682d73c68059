"""Starts and stops the real servers that make demo, make run and make test need."""
