"""How orders are filled: executors, stop and target monitoring, cost models."""
