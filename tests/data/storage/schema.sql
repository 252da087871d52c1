CREATE INDEX jobs_by_time ON jobs (created_at);

CREATE INDEX outbox_pending ON outbox (channel, id)
WHERE sent_at IS NULL AND abandoned_at IS NULL AND muted_at IS NULL;

CREATE INDEX trades_in_order ON trades (test_id, id);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    user_name TEXT NOT NULL,
    command TEXT NOT NULL,
    options TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;

CREATE TABLE equity_marks (
    test_id INTEGER NOT NULL REFERENCES forward_tests (id),
    time INTEGER NOT NULL,
    equity REAL NOT NULL,
    PRIMARY KEY (test_id, time)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    test_id INTEGER NOT NULL REFERENCES forward_tests (id),
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    details TEXT NOT NULL,
    UNIQUE (test_id, time, kind, details)
) STRICT;

CREATE TABLE forward_tests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    strategy TEXT NOT NULL,
    params TEXT NOT NULL,
    symbol TEXT NOT NULL,
    exchange TEXT NOT NULL,
    config TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('running', 'paused', 'stopped', 'faulted')),
    fault TEXT,
    created_at INTEGER NOT NULL,
    started_market_time INTEGER,
    stopped_at INTEGER,
    channel_id INTEGER,
    thread_id INTEGER,
    status_message_id INTEGER,
    created_by INTEGER,
    CHECK ((status = 'faulted') = (fault IS NOT NULL))
) STRICT;

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    author_id INTEGER,
    channel_id INTEGER,
    message_id INTEGER,
    request TEXT NOT NULL,
    state TEXT NOT NULL
    CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    error TEXT,
    result TEXT
) STRICT;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dedupe_key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    test_id INTEGER REFERENCES forward_tests (id),
    channel TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL,
    sent_at INTEGER,
    abandoned_at INTEGER,
    last_error TEXT
, muted_at INTEGER) STRICT;

CREATE TABLE portfolios (
    test_id INTEGER PRIMARY KEY REFERENCES forward_tests (id),
    balance REAL NOT NULL,
    equity REAL NOT NULL,
    last_candle_time INTEGER,
    step INTEGER NOT NULL DEFAULT 0,
    step_digest TEXT
) STRICT;

CREATE TABLE positions (
    test_id INTEGER NOT NULL REFERENCES forward_tests (id),
    position_id INTEGER NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('long', 'short')),
    entry_time INTEGER NOT NULL,
    entry_price REAL NOT NULL,
    size REAL NOT NULL,
    size_usd REAL NOT NULL,
    entry_fee REAL NOT NULL,
    entry_slippage REAL NOT NULL,
    stop_loss REAL,
    take_profit REAL,
    PRIMARY KEY (test_id, position_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE strategy_states (
    test_id INTEGER PRIMARY KEY REFERENCES forward_tests (id),
    state TEXT NOT NULL
) STRICT;

CREATE TABLE trades (
    id INTEGER PRIMARY KEY,
    test_id INTEGER NOT NULL REFERENCES forward_tests (id),
    trade_id INTEGER NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('long', 'short')),
    entry_time INTEGER NOT NULL,
    entry_price REAL NOT NULL,
    exit_time INTEGER NOT NULL,
    exit_price REAL NOT NULL,
    size REAL NOT NULL,
    size_usd REAL NOT NULL,
    pnl REAL NOT NULL,
    pnl_percent REAL NOT NULL,
    fees REAL NOT NULL,
    exit_reason TEXT NOT NULL,
    ambiguous INTEGER NOT NULL CHECK (ambiguous IN (0, 1)),
    slippage REAL NOT NULL,
    stop_loss REAL,
    take_profit REAL,
    recovered INTEGER NOT NULL CHECK (recovered IN (0, 1)),
    UNIQUE (test_id, trade_id)
) STRICT;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_is_never_shortened BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

