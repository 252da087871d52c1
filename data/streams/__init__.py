"""Live streams: from an exchange's frames to candles in order; sockets live in `session` only."""
