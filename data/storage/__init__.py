"""The parts of the SQLite database. Use them through `data.database`."""
