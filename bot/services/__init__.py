"""Use cases without Discord: backtests, market data, jobs in worker processes."""
