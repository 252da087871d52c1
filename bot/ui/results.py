"""A finished backtest or fetch as embeds. Pure; figures come from the engine, none is made here."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import discord

from bot.services.requests import BacktestAsk, BacktestOutcome, FetchOutcome
from bot.ui.formats import dollars, moment, number, percent, period, plural, seconds, size
from bot.ui.limits import Card, Markup, clip, code, escape
from bot.ui.theme import ACCENT, NEUTRAL, outcome_colour
from engine.candles import Gap
from engine.results import BacktestResults
from engine.summary import SIMULATED_LABEL, format_duration
from engine.timeframe import get_timeframe_ms

EQUITY_PNG: Final = "equity.png"
TRADES_PNG: Final = "trades.png"

_MAIN_BUDGET: Final = 5700
_LISTED_GAPS: Final = 3
_FILLS: Final = {"close": "at the close", "next_open": "at the next open"}


def backtest_embeds(outcome: BacktestOutcome) -> list[discord.Embed]:
    """Return a result: figures with the equity chart, then the trades chart."""
    results = outcome.report.results
    metrics = results.metrics
    colour = outcome_colour(metrics.total_return_pct) if metrics.trades else NEUTRAL
    card = Card(_title(results), colour=colour, budget=_MAIN_BUDGET)
    card.describe(_headline(results, outcome.report.ask))
    _add_figures(card, results)
    card.field_list("Parameters", [_params(results)] if results.params else [])
    card.field_list("Data", _data_lines(results))
    card.field_list("Please note", _notes(outcome), more="notes")
    card.footer(_footer(results))
    if "equity" in outcome.pictures:
        card.image(EQUITY_PNG)
    embeds = [card.build()]
    if "trades" in outcome.pictures:
        embeds.append(Card("Trades", colour=colour, budget=100).image(TRADES_PNG).build())
    return embeds


def fetch_embed(outcome: FetchOutcome) -> discord.Embed:
    """Return what a fetch brought, and what the cache holds of the series now."""
    key, coverage = outcome.key, outcome.coverage
    card = Card(f"{key.symbol} {key.timeframe} from {key.exchange}", colour=ACCENT)
    what = plural(outcome.fetched, "candle")
    card.describe(Markup(f"**{what} fetched**" if outcome.fetched else "Nothing new to fetch."))
    if coverage is not None:
        step = get_timeframe_ms(key.timeframe)
        missing = sum(gap.missing for gap in coverage.gaps)
        share = 100 * missing / max(coverage.candles + missing, 1)
        span = f"{moment(coverage.first)} to {moment(coverage.last + step)}"
        card.field("Covers", Markup(span), inline=False)
        card.field("Candles", number(coverage.candles, digits=0))
        card.field("Missing", Markup(f"{missing:,} ({percent(share)})"))
        card.field_list("Largest gaps", _gap_lines(coverage.gaps, step))
    card.field_list("Please note", [escape(clip(text, 500)) for text in outcome.notices])
    return card.build()


def _title(results: BacktestResults) -> str:
    gain = percent(results.metrics.total_return_pct, sign="+")
    return f"{clip(results.strategy, 80)} on {results.symbol}: {gain}"


def _headline(results: BacktestResults, ask: BacktestAsk) -> Markup:
    metrics = results.metrics
    lines = [
        f"{period(results.start, results.end)} · {escape(', '.join(results.timeframes))} ·"
        f" filled {_FILLS.get(ask.fill, ask.fill)}",
        f"**{dollars(results.initial_balance)} → {dollars(results.final_equity)}**",
    ]
    if "simulated" in (results.exchange, results.data.source):
        lines.insert(0, f"🧪 *{SIMULATED_LABEL}*")
    if not metrics.trades:
        lines.append("No trades: the strategy never gave a signal that could be carried out.")
    return Markup("\n".join(lines))


def _add_figures(card: Card, results: BacktestResults) -> None:
    metrics, costs = results.metrics, results.costs
    hold = percent(metrics.buy_and_hold_pct, sign="+")
    gain = percent(metrics.total_return_pct, sign="+")
    card.field("Return", Markup(f"**{gain}**\nbuy and hold {hold}"))
    depth = percent(metrics.max_drawdown_pct)
    longest = format_duration(metrics.longest_drawdown_ms)
    card.field("Max drawdown", Markup(f"**{depth}**\nlongest {longest}"))
    sharpe, sortino = number(metrics.sharpe_ratio), number(metrics.sortino_ratio)
    card.field("Sharpe", Markup(f"**{sharpe}**\nSortino {sortino}"))
    won = f"{percent(metrics.win_rate_pct, digits=1)} won"
    card.field("Trades", Markup(f"**{metrics.trades:,}**\n{won}"))
    factor, each = number(metrics.profit_factor), dollars(metrics.expectancy_usd, sign="+")
    card.field("Profit factor", Markup(f"**{factor}**\n{each} a trade"))
    exposure, holding = percent(metrics.exposure_pct, digits=1), metrics.average_holding_ms
    card.field("In the market", Markup(f"**{exposure}**\n{format_duration(holding)} a trade"))
    card.field("CAGR", Markup(f"**{percent(metrics.cagr_pct, sign='+')}**"))
    total = costs.fees + costs.slippage + costs.funding
    parts = f"fees {dollars(costs.fees)}, slippage {dollars(costs.slippage)}"
    funding = f", funding {dollars(costs.funding)}" if costs.funding else ""
    card.field("Costs", Markup(f"**{dollars(total)}**\n{parts}{funding}"))
    card.field("Exits", _exits(results))


def _exits(results: BacktestResults) -> Markup:
    counts = Counter(str(trade.exit_reason) for trade in results.trades)
    lines = [f"{escape(reason.replace('_', ' '))} {count:,}" for reason, count in counts.items()]
    return Markup("\n".join(lines))


def _params(results: BacktestResults) -> Markup:
    return code(" ".join(f"{name}={value}" for name, value in results.params.items()), 900)


def _data_lines(results: BacktestResults) -> list[Markup]:
    data = results.data
    source = f"{data.candles:,} candles of {escape(data.timeframe)}"
    if not data.missing:
        return [Markup(f"{source}, none missing")]
    gaps = plural(len(data.gaps), "gap")
    lines = [Markup(f"{source}, {data.missing:,} missing ({percent(data.missing_pct)}) in {gaps}")]
    lines += _gap_lines(data.gaps, get_timeframe_ms(data.timeframe))
    if data.trades_touching_gaps:
        touching = plural(len(data.trades_touching_gaps), "trade touches", "trades touch")
        lines.append(Markup(f"{touching} a gap"))
    return lines


def _gap_lines(gaps: Sequence[Gap], step_ms: int) -> list[Markup]:
    largest = sorted(gaps, key=lambda gap: (-gap.missing, gap.first))[:_LISTED_GAPS]
    return [
        Markup(f"{moment(gap.first)}: {format_duration(gap.missing * step_ms)}") for gap in largest
    ]


def _notes(outcome: BacktestOutcome) -> list[Markup]:
    results = outcome.report.results
    lines = [
        Markup(
            f"{plural(entry.count, 'signal')} rejected: {escape(clip(entry.reason, 200))}"
            f" (first {moment(entry.first_time, 'd')})"
        )
        for entry in sorted(results.rejected, key=lambda entry: -entry.count)
    ]
    ambiguous = results.metrics.ambiguous_trades
    if ambiguous:
        lines.append(
            Markup(
                f"{plural(ambiguous, 'trade')} reached stop and target in one minute: stop taken"
            )
        )
    texts = (*results.notes, *outcome.notices)
    return lines + [escape(clip(text, 300)) for text in texts]


def _footer(results: BacktestResults) -> str:
    took = f" · took {seconds(results.timing.total_s)}" if results.timing else ""
    return f"run {results.run_id}{took}"


def too_large_text(name: str, count: int, limit: int, *, instead: str) -> Markup:
    """Return why a file isn't attached, and what comes in its place."""
    return Markup(
        f"⚠️ {escape(name)} has {size(count)}, over this server's limit of {size(limit)}: {instead}"
    )
