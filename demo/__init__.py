"""The demo's shop: a table, an old and a new version of an application, and the proof that neither lost a write."""
