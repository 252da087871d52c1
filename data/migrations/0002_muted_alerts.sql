-- A muted message was not to be sent: its kind is off, or it repeats one that was. It stays on record.
ALTER TABLE outbox ADD COLUMN muted_at INTEGER;

DROP INDEX outbox_pending;

CREATE INDEX outbox_pending ON outbox (channel, id)
WHERE sent_at IS NULL AND abandoned_at IS NULL AND muted_at IS NULL;
