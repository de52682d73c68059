"""One adapter per engine: the engine's only I/O."""
