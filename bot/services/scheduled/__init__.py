"""The work that is done by the clock: refreshing, backing up, checking, cleaning up. No Discord."""
