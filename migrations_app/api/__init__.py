"""The public HTTP API: parse, call a service or selector, render."""
