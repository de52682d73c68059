"""The engine: a pure library that plans batches, drives steps and talks to targets through one adapter.

No Django, Celery, Redis, clock or environment in here: they are passed in.
"""
