"""The kinds of alerts that tell of more than a trade, as the outbox names them. Names only."""

from typing import Final

START: Final = "start"
STOP: Final = "stop"
PAUSED: Final = "paused"
RESUMED: Final = "resumed"
FAULT: Final = "fault"
STALL: Final = "stall"
BACK: Final = "back"
RECOVERY: Final = "recovery"
CONNECTION: Final = "connection"
NOTE: Final = "note"
SUMMARY_DAILY: Final = "summary_daily"
SUMMARY_WEEKLY: Final = "summary_weekly"
