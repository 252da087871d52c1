"""Connections to exchanges: real ccxt clients against loopback."""

import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr

from data.ccxt_client import redirect_urls
from data.errors import (
    ExchangeError,
    ExchangeUnavailable,
    MissingCredentials,
    UnknownExchange,
    UnknownSymbol,
    UnsupportedRequest,
)
from data.exchange import ExchangeSettings, open_exchange
from data.venues.base import Instrument, MarketKind

SOURCES = Path(__file__).resolve().parents[2]


async def ask_a_candle(exchange, symbol="BTC/USDT"):
    instrument = await exchange.instrument(symbol)
    call = exchange.venue.candles_call(instrument, "1m", 0, 2_000_000_000_000, limit=10)
    return await exchange.ask(call, exchange.venue.parse_candles, "a candle")


# settings


@pytest.mark.parametrize("name", ["binance", "bybit"])
@pytest.mark.parametrize(
    ("key", "secret", "named"),
    [
        (None, None, "API_KEY and API_SECRET"),
        (SecretStr("k"), None, "API_SECRET"),
        (None, SecretStr("s"), "API_KEY"),
        (SecretStr(""), SecretStr(""), "API_KEY and API_SECRET"),
    ],
)
async def test_missing_credentials_are_named(name, key, secret, named):
    with pytest.raises(MissingCredentials, match=f"{name} needs {named}: set {named} in"):
        async with open_exchange(ExchangeSettings(name, key, secret)):
            pass


async def test_the_simulated_exchange_needs_an_address_but_no_credentials():
    with pytest.raises(UnsupportedRequest, match="set EXCHANGE_REST_URL"):
        async with open_exchange(ExchangeSettings("simulated")):
            pass


async def test_an_unknown_exchange_is_refused():
    with pytest.raises(UnknownExchange, match="kraken"):
        async with open_exchange(ExchangeSettings("kraken")):
            pass


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://x", "http://", "ws://127.0.0.1"])
async def test_an_address_without_scheme_or_host_is_refused(url):
    with pytest.raises(ExchangeError, match=r"EXCHANGE_REST_URL .* is no address: use one like"):
        async with open_exchange(ExchangeSettings("hyperliquid", rest_url=url)):
            pass


def test_settings_never_show_their_secrets():
    settings = ExchangeSettings("binance", SecretStr("my-key"), SecretStr("my-secret"))

    assert "my-" not in repr(settings)
    assert "my-" not in str(settings)


def test_ccxt_is_not_imported_before_it_is_needed():
    code = "import sys, data.historical; print('ccxt' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SOURCES, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"


# requests under way


@pytest.mark.parametrize(
    ("name", "symbol", "most"),
    [
        ("binance", "BTC/USDT", 23),  # 45 pages a second
        ("binance", "BTC/USDT:USDT", 9),  # 18
        ("bybit", "BTC/USDT", 48),  # 108
        ("hyperliquid", "BTC/USDC:USDC", 8),  # one in six seconds
    ],
)
async def test_enough_requests_are_under_way_for_the_limit_to_hold_them_back(
    name, symbol, most, connect
):
    async with connect(name, "http://127.0.0.1:1") as exchange:
        kind = MarketKind.PERPETUAL if ":" in symbol else MarketKind.SPOT
        size = exchange.venue.page_size(Instrument(symbol, "BTC", kind), is_limited=True)
        call = exchange.venue.candles_call(
            Instrument(symbol, "BTC", kind), "1m", 0, 60_000, limit=size
        )
        assert exchange.in_flight(call) == most
    async with connect(name, "http://127.0.0.1:1", rate_limit=False) as exchange:
        assert exchange.in_flight(call) == 8


# addresses


def test_addresses_change_their_host_and_keep_their_path():
    urls = {
        "api": {
            "public": "https://api.binance.com/api/v3",
            "ws": {"spot": "wss://stream.binance.com:9443/ws"},
        },
        "doc": ["https://docs.example.org/a?b=c"],
        "host": "https://api.{hostname}",
        "name": None,
        "word": "text",
    }

    assert redirect_urls(urls, "http://127.0.0.1:8899/", "ws://127.0.0.1:9") == {
        "api": {
            "public": "http://127.0.0.1:8899/api/v3",
            "ws": {"spot": "ws://127.0.0.1:9/ws"},
        },
        "doc": ["http://127.0.0.1:8899/a?b=c"],
        "host": "http://127.0.0.1:8899",
        "name": None,
        "word": "text",
    }
    assert redirect_urls(urls, None, None) == urls


@pytest.mark.parametrize("name", ["binance", "bybit", "hyperliquid", "simulated"])
async def test_no_address_of_ccxt_is_left_behind(name, settings_for, connect):
    async with connect(name, "http://127.0.0.1:1") as exchange:
        flat = str(exchange._client.urls["api"])

    assert "https" not in flat
    assert "127.0.0.1:1" in flat


# time


async def test_the_time_is_the_exchanges_whatever_this_machine_says(binance, connect, fake_time):
    async with connect("binance", binance.url) as exchange:
        assert await exchange.now() == binance.market.now
        fake_time.now += 30.5
        assert await exchange.now() == binance.market.now + 30_500
        assert len(binance.asked("time")) == 1

        binance.market.now += 3_600_000
        fake_time.now += 30
        assert await exchange.now() == binance.market.now
        assert len(binance.asked("time")) == 2


async def test_the_time_of_other_exchanges_is_read(bybit, hyperliquid, connect):
    for name, server in (("bybit", bybit), ("hyperliquid", hyperliquid)):
        async with connect(name, server.url) as exchange:
            assert await exchange.now() == server.market.now


async def test_an_address_that_knows_futures_only_tells_their_time(binance, connect):
    binance.has_spot = False
    async with connect("binance", binance.url) as exchange:
        assert await exchange.now() == binance.market.now
        binance.requests.clear()
    async with connect("binance", binance.url) as exchange:
        await exchange.now(MarketKind.PERPETUAL)
        assert [path for path, _ in binance.requests] == ["/fapi/v1/time"]


# symbols


async def test_spot_and_perpetual_are_told_apart_by_the_settlement(binance, connect):
    async with connect("binance", binance.url) as exchange:
        spot = await exchange.instrument("BTC/USDT")
        assert binance.asked("/fapi") == []
        perpetual = await exchange.instrument("BTC/USDT:USDT")

    assert spot == Instrument("BTC/USDT", "BTCUSDT", MarketKind.SPOT)
    assert perpetual == Instrument("BTC/USDT:USDT", "BTCUSDT", MarketKind.PERPETUAL)


async def test_symbols_are_those_that_trade(binance, bybit, hyperliquid, connect):
    async with connect("binance", binance.url) as exchange:
        assert await exchange.symbols() == ("BTC/USDT", "BTC/USDT:USDT", "ETH/BTC")
    async with connect("bybit", bybit.url) as exchange:
        assert await exchange.symbols() == ("BTC/USDT", "BTC/USDT:USDT")
    async with connect("hyperliquid", hyperliquid.url) as exchange:
        assert await exchange.symbols() == ("BTC/USDC:USDC", "HFUN/USDC")
        assert (await exchange.instrument("BTC/USDC:USDC")).id == "BTC"
        assert (await exchange.instrument("HFUN/USDC")).id == "@1"


async def test_a_symbol_that_no_longer_trades_is_known_but_not_offered(binance, connect):
    def halt(path, _query, answer):
        if "exchangeInfo" in path:
            answer["symbols"][0]["status"] = "BREAK"
        return answer

    binance.spoil = halt
    async with connect("binance", binance.url) as exchange:
        assert await exchange.symbols() == ("ETH/BTC",)
        assert not (await exchange.instrument("BTC/USDT")).is_active


async def test_an_unknown_symbol_names_the_nearest_of_all_markets(binance, connect):
    async with connect("binance", binance.url) as exchange:
        with pytest.raises(UnknownSymbol) as caught:
            await exchange.instrument("BTC/USD")

    assert str(caught.value) == (
        "binance doesn't list BTC/USD: did you mean BTC/USDT, BTC/USDT:USDT?"
    )


async def test_keys_cause_no_private_requests(binance, connect):
    async with connect("binance", binance.url) as exchange:
        await exchange.symbols()

    assert {path for path, _ in binance.requests} == {
        "/api/v3/exchangeInfo",
        "/fapi/v1/exchangeInfo",
    }


# answers that are none


@pytest.mark.parametrize("status", [429, 418, 500, 502, 503, 504, 408])
async def test_passing_refusals_are_retried(status, binance, connect, fake_time):
    async with connect("binance", binance.url) as exchange:
        binance.refusals = [(status, {"Retry-After": "7"}, "busy")] * 2
        columns = await ask_a_candle(exchange)

    assert len(columns) == 10
    assert sum(fake_time.slept) >= 14


async def test_a_silent_ban_is_waited_for_as_long_as_the_exchange_bans(binance, connect, fake_time):
    async with connect("binance", binance.url) as exchange:
        await exchange.instrument("BTC/USDT")
        binance.refusals = [(418, {}, "banned")]
        await ask_a_candle(exchange)

    assert sum(fake_time.slept) >= 120


async def test_bybits_ban_of_ten_minutes_is_told_and_not_waited_for(bybit, connect, fake_time):
    async with connect("bybit", bybit.url) as exchange:
        bybit.refusals = [(403, {}, "access too frequent")]
        with pytest.raises(ExchangeUnavailable, match="asks for a pause of 10 minutes"):
            await exchange.instrument("BTC/USDT")

    assert fake_time.slept == []


async def test_bybits_soft_limit_is_retried(bybit, connect):
    async with connect("bybit", bybit.url) as exchange:
        bybit.refusals = [(200, {}, '{"retCode":10006,"retMsg":"Too many visits!","result":{}}')]
        assert len(await ask_a_candle(exchange)) == 10


@pytest.mark.parametrize("body", ["", "[[1735", "<html>welcome</html>", '{"a":1}', "null"])
async def test_unreadable_answers_are_retried(body, binance, connect):
    async with connect("binance", binance.url) as exchange:
        await exchange.instrument("BTC/USDT")
        binance.refusals = [(200, {"Content-Type": "application/json"}, body)]
        assert len(await ask_a_candle(exchange)) == 10


async def test_a_blocked_location_is_told_at_once(binance, connect, fake_time):
    async with connect("binance", binance.url) as exchange:
        binance.refusals = [(451, {}, "Service unavailable from a restricted location")]
        with pytest.raises(ExchangeUnavailable, match="refuses this machine's location"):
            await exchange.instrument("BTC/USDT")

    assert fake_time.slept == []


async def test_an_exchange_that_stays_down_is_given_up_with_advice(binance, connect):
    async with connect("binance", binance.url) as exchange:
        binance.refusals = [(503, {}, "maintenance")] * 7
        with pytest.raises(ExchangeUnavailable, match=r"7 tries.*HTTP 503.*maintenance.*status"):
            await exchange.instrument("BTC/USDT")

        assert exchange.requests == 7


async def test_nobody_listening_is_given_up_with_advice(connect):
    async with connect("hyperliquid", "http://127.0.0.1:9") as exchange:
        with pytest.raises(
            ExchangeUnavailable,
            match=r"no connection: Cannot connect to host 127\.0\.0\.1:.*check the network",
        ):
            await exchange.now()


async def test_no_answer_in_time_is_retried(binance, connect):
    async with connect("binance", binance.url, timeout_s=1.0) as exchange:
        await exchange.instrument("BTC/USDT")
        binance.hangs = 1
        assert len(await ask_a_candle(exchange)) == 10

    assert len(binance.asked("klines")) >= 2
    assert binance.hangs == 0


async def test_a_wrong_request_is_not_repeated(binance, connect):
    async with connect("binance", binance.url) as exchange:
        instrument = await exchange.instrument("BTC/USDT")
        binance.refusals = [(400, {}, '{"code":-1121,"msg":"Invalid symbol."}')]
        call = exchange.venue.candles_call(instrument, "1m", 0, 60_000, limit=10)
        with pytest.raises(UnknownSymbol, match="Invalid symbol"):
            await exchange.ask(call, exchange.venue.parse_candles, "candles")
        binance.refusals = [(400, {}, '{"code":-1130,"msg":"Data sent for limit is not valid."}')]
        with pytest.raises(UnsupportedRequest, match="limit is not valid"):
            await exchange.ask(call, exchange.venue.parse_candles, "candles")

    assert len(binance.asked("klines")) == 2


async def test_secrets_stay_out_of_errors_even_if_the_exchange_echoes_them(binance, connect):
    async with connect("binance", binance.url) as exchange:
        binance.refusals = [(401, {}, '{"code":-2014,"msg":"API-key a-secret is bad"}')]
        with pytest.raises(ExchangeError) as caught:
            await exchange.instrument("BTC/USDT")

    shown = "".join(traceback.format_exception(caught.value))
    assert "a-secret" not in shown
    assert "a-secret" not in repr(caught.value.__cause__)


async def test_an_unreadable_time_is_asked_for_again(binance, connect):
    async with connect("binance", binance.url) as exchange:
        binance.refusals = [(200, {"Content-Type": "application/json"}, '{"serverTime":"soon"}')]
        assert await exchange.now() == binance.market.now


async def test_suggestions_come_from_the_markets_that_answer(binance, connect):
    def refuse_futures(path, _query, answer):
        return {"code": -1102, "msg": "no"} if "/fapi" in path else answer

    binance.spoil = refuse_futures
    async with connect("binance", binance.url) as exchange:
        with pytest.raises(UnknownSymbol, match=r"did you mean BTC/USDT\?"):
            await exchange.instrument("BTC/USD")


async def test_a_list_without_symbols_is_no_list(binance, connect):
    binance.spoil = lambda path, _query, answer: {"symbols": []} if "Info" in path else answer
    async with connect("binance", binance.url) as exchange:
        with pytest.raises(ExchangeUnavailable, match="the list of symbols is empty"):
            await exchange.instrument("BTC/USDT")
