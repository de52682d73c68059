"""What machines do: the engine, the runner that drives it, and the supervisor."""
