"""How patient the live streams are. Seconds are monotonic; ms are the exchange's time."""

from dataclasses import dataclass, field

from data.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class StreamPolicy:
    """When a stream counts as broken, and when REST is asked instead.

    Every `check_s` is looked after everything. A socket on which nothing came for `dead_after_s`,
    pongs included, or that leaves a subscription unanswered for `answer_within_s`, is replaced;
    one that the exchange will cut is renewed `renew_before_s` earlier. One that broke within
    `stable_s` is not reopened at once. `alert_after` failed attempts raise an alert.

    A candle without a closing mark is closed `close_grace_ms` after its minute. One that is
    `overdue_ms` late is asked for over REST; one that holds back later ones, after `gap_grace_s`.
    Where REST has neither the missing candle nor a later one, it is asked every `confirm_s`, and
    after `confirm_tries` the candle is taken as missing. Every `recheck_ms` REST is asked for what
    was delivered meanwhile: exchanges correct candles, and no stream tells it.
    """

    check_s: float = 1.0
    dead_after_s: float = 60.0
    answer_within_s: float = 15.0
    renew_before_s: float = 3600.0
    stable_s: float = 60.0
    alert_after: int = 3
    close_grace_ms: int = 2_000
    overdue_ms: int = 5_000
    gap_grace_s: float = 0.5
    confirm_s: float = 10.0
    confirm_tries: int = 12
    recheck_ms: int = 3_600_000
    reconnect: RetryPolicy = field(default_factory=lambda: RetryPolicy(first_s=1.0, longest_s=60.0))
    refetch: RetryPolicy = field(default_factory=lambda: RetryPolicy(first_s=2.0, longest_s=60.0))
