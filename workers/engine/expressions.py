"""The mapping language: one SQL expression, parsed against an allow-list, rendered per engine, evaluated in Python."""
