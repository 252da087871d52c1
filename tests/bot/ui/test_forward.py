"""Forward tests as embeds: what is live, paused, faulted, stopped or without a price says so."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bot.services.forward.overview import ForwardView, PositionView
from bot.services.forward.ports import unstored
from bot.services.forward.session import ForwardConfig
from bot.ui.forward import (
    begun_embed,
    forward_lines,
    list_embed,
    started_embed,
    status_embed,
    stop_preview,
)
from bot.ui.forward_buttons import close_buttons
from bot.ui.forward_positions import positions_embeds
from bot.ui.theme import LOSS, WAITING
from data.storage.records import ForwardTestStatus, NewForwardTest
from engine.orders import Position, Side

START = 1_704_067_200_000
MINUTE_MS = 60_000
HELD = Position(1, Side.LONG, START, 100.0, 2.0, 200.0, 0.1)


@pytest.fixture
def test_of():
    """Make a stored test; what is given replaces what is usual."""

    def made(**changes):
        new = NewForwardTest(
            name="tester",
            strategy="own",
            params={},
            symbol="BTC/USDT",
            exchange="binance",
            config=ForwardConfig(START - 60 * MINUTE_MS, START).to_json(),
        )
        usual = {"status": ForwardTestStatus.RUNNING, "created_at": START}
        return replace(unstored(new), **{**usual, **changes})

    return made


@pytest.fixture
def view_of(test_of):
    """Make a view: `test` are changes of the test, everything else of the view."""

    def made(test=None, **changes):
        stored = test_of(**(test or {}))
        usual = {
            "is_live": True,
            "equity": 10_000.0,
            "balance": 10_000.0,
            "trades": 0,
            "positions": (),
        }
        return ForwardView(
            test=stored, config=ForwardConfig.from_json(stored.config), **{**usual, **changes}
        )

    return made


def fields(embed):
    return {field.name: field.value for field in embed.fields}


def test_a_position_without_a_price_is_never_shown_with_a_profit(view_of):
    view = view_of(is_live=False, positions=(PositionView(HELD, None),))

    assert "1 open position" in list_embed([view], stopped=0).description
    assert "$0.00" not in list_embed([view], stopped=0).description
    assert positions_embeds([view], START)[0].title == "1 open position"
    assert "unrealised" not in stop_preview(view, close_positions=True).description


def test_positions_with_a_price_are_shown_with_what_they_have_won_together(view_of):
    view = view_of(positions=(PositionView(HELD, 103.0), PositionView(HELD, None)))

    assert "2 open positions +$6.00" in list_embed([view], stopped=0).description
    assert positions_embeds([view], START)[0].title == "2 open positions, +$6.00 unrealised"


async def test_each_button_names_the_position_that_it_closes(view_of):
    held = tuple(PositionView(replace(HELD, id=number), 103.0) for number in range(1, 31))
    view = view_of(positions=held)

    [embed] = positions_embeds([view], START)
    labels = [button.item.label for button in close_buttons([view]).children]

    shown = [field.name for field in embed.fields]
    assert shown == [f"🟢 Long BTC/USDT #{number} · tester" for number in range(1, 21)]
    assert labels == [f"Close #{number} long BTC/USDT · tester" for number in range(1, 21)]
    assert embed.footer.text == "and 10 more, opened later"


def test_positions_of_several_tests_that_do_not_fit_can_be_asked_for_by_test(view_of):
    held = tuple(PositionView(HELD, 103.0) for _ in range(15))

    [embed] = positions_embeds([view_of(positions=held), view_of({"id": 2}, positions=held)], START)

    assert embed.footer.text == "and 10 more: /positions test:NAME shows those of one test"


def test_the_list_says_that_none_is_running_and_how_many_were_stopped():
    embed = list_embed([], stopped=2)

    assert "/forward start" in embed.description
    assert embed.footer.text.startswith("2 more tests stopped")


def test_the_list_shows_why_a_test_is_faulted_and_where_its_thread_is(view_of):
    view = view_of({"status": ForwardTestStatus.FAULTED, "fault": "gone *wrong*", "thread_id": 7})
    line = list_embed([view], stopped=0).description

    assert line.startswith("🛑 **tester**")
    assert "gone \\*wrong\\*" in line
    assert "<#7>" in line


@pytest.mark.parametrize(
    ("status", "colour"), [(ForwardTestStatus.FAULTED, LOSS), (ForwardTestStatus.PAUSED, WAITING)]
)
def test_the_colour_tells_a_faulted_test_from_a_paused_one(view_of, status, colour):
    assert status_embed(view_of({"status": status})).colour.value == colour


@pytest.mark.parametrize(
    ("test", "changes", "stream"),
    [
        ({}, {}, "live"),
        ({}, {"is_live": False}, "⚠️ not running in this process"),
        ({}, {"down_since": START}, f"⚠️ down since <t:{START // 1000}:T>"),
        ({"status": ForwardTestStatus.STOPPED}, {"is_live": False}, "closed"),
    ],
)
def test_the_status_tells_how_the_stream_is_doing(view_of, test, changes, stream):
    assert fields(status_embed(view_of(test, **changes)))["Stream"] == stream


def test_the_preview_of_a_stop_says_what_becomes_of_the_positions(view_of):
    held = (PositionView(HELD, 103.0),)
    live, dead = view_of(positions=held), view_of(positions=held, is_live=False)

    assert "No position is open." in stop_preview(view_of(), close_positions=True).description
    closing = stop_preview(live, close_positions=True).description
    assert "**1 open position will be closed at the market**, now +$6.00" in closing
    leaving = stop_preview(live, close_positions=False).description
    assert "will be left as they are" in leaving
    powerless = stop_preview(dead, close_positions=True).description
    assert "they can't be closed, only left" in powerless
    assert "will be closed" not in powerless


def test_a_test_that_waits_for_the_exchange_says_so_when_it_is_begun(view_of):
    assert "trades from this minute on" in begun_embed(view_of()).description
    waiting = begun_embed(view_of(is_live=False)).description
    assert "as soon as the exchange can be reached" in waiting


def test_the_first_message_names_its_starter_the_parameters_and_simulated_prices(test_of):
    plain = started_embed(test_of())
    full = started_embed(test_of(created_by=42, params={"fast": 9}, exchange="simulated"))

    assert "Parameters" not in fields(plain)
    assert "simulated prices" not in plain.description
    assert "started by <@42>" in full.description
    assert "simulated prices, not a real market" in full.description
    assert "fast=9" in fields(full)["Parameters"]


def test_the_health_of_tests_names_those_that_nothing_runs_and_alerts_that_wait(test_of):
    def runner(test_id, last, down):
        session = SimpleNamespace(test=test_of(id=test_id), last_open_time=last)
        return SimpleNamespace(session=session, down_since=down)

    tests = [test_of(id=number, name=f"t{number}") for number in (1, 2, 3)]
    runners = [runner(1, START, None), runner(2, None, START)]
    lines = forward_lines(tests, runners, waiting_alerts=2)

    assert lines == [
        f"▶️ t1 (BTC/USDT): candle <t:{(START + MINUTE_MS) // 1000}:R>",
        f"▶️ t2 (BTC/USDT): no candle yet, ⚠️ stream down since <t:{START // 1000}:T>",
        "▶️ t3 (BTC/USDT): ⚠️ not running in this process",
        "✉️ 2 alerts not sent yet",
    ]
    assert forward_lines([], [], waiting_alerts=0) == []
