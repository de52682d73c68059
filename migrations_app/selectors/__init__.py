"""Reads: each knows what it may cost, none writes."""
