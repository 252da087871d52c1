"""The trading engine: what a strategy author imports, and nothing that does I/O."""
