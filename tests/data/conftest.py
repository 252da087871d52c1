"""Hand-written exchanges on loopback for real ccxt clients, and a time that passes when slept."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from data.cache import CandleStore, SeriesKey
from data.exchange import ExchangeSettings, open_exchange
from data.historical import HistoricalDataProvider
from data.retry import Timing

MINUTE = 60_000
NOW = 1_737_383_430_250  # 2025-01-20 14:30:30.250
LISTED_AT = NOW // MINUTE * MINUTE - 400 * 24 * 60 * MINUTE
LENGTHS = {
    "1m": 1,
    "1": 1,
    "5m": 5,
    "5": 5,
    "1h": 60,
    "60": 60,
    "1d": 1440,
    "D": 1440,
    "1w": 10080,
    "W": 10080,
}


class FakeTime:
    """A monotonic time in s that only sleeping moves; chance is always one half."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    @property
    def timing(self):
        return Timing(self.sleep, lambda: self.now, lambda: 0.5)


@dataclass
class Market:
    """What every fake exchange sells: one candle a minute, each told from all others."""

    now: int = NOW
    listed_at: int = LISTED_AT
    gaps: list = field(default_factory=list)

    def opens(self, start, end, length_ms):
        """Open times at start..end (both included), as far as they have begun."""
        offset = 4 * 24 * 60 * MINUTE if length_ms == 7 * 24 * 60 * MINUTE else 0
        earliest = (self.listed_at - offset) // length_ms * length_ms + offset
        first = max(earliest, -((offset - start) // length_ms) * length_ms + offset)
        opens = range(first, min(end, self.now) + 1, length_ms)
        return [t for t in opens if not any(a <= t and t + length_ms <= b for a, b in self.gaps)]

    @staticmethod
    def row(open_time):
        """Open, high, low, close, volume, taker buys of the candle that opens then."""
        number = open_time // MINUTE
        opened, close = 100 + number % 7, 100 + number % 5
        return (
            opened,
            max(opened, close) + 1,
            min(opened, close) - 1,
            close,
            10 + number % 3,
            4 + number % 2,
        )


class FakeServer:
    """Counts requests, refuses as told, and lets a test spoil answers before they are sent."""

    def __init__(self, market):
        self.market = market
        self.requests = []
        self.refusals = []
        self.hangs = 0
        self.spoil: Callable[[str, dict, Any], Any] = lambda _path, _query, answer: answer
        self.most_at_once = 0
        self._at_once = 0
        self._resources = AsyncExitStack()
        self.url = ""

    def asked(self, word):
        """The parameters of the requests whose path or type holds a word."""
        return [parameters for path, parameters in self.requests if word in path]

    async def start(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._resources.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def stop(self):
        await self._resources.aclose()

    async def _serve(self, request):
        parameters = await request.json() if request.method == "POST" else dict(request.query)
        path = parameters.get("type", "") if request.method == "POST" else request.path
        self.requests.append((path, parameters))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(0)
            if self.hangs:
                self.hangs -= 1
                await asyncio.Event().wait()
            if self.refusals:
                status, headers, body = self.refusals.pop(0)
                return web.Response(status=status, headers=headers, text=body)
            answer = self.answer(path, parameters)
            if answer is None:
                return web.Response(status=404, text="Not Found")
            return web.Response(
                text=json.dumps(self.spoil(path, parameters, answer), separators=(",", ":")),
                content_type="application/json",
            )
        finally:
            self._at_once -= 1

    def answer(self, path, parameters):
        raise NotImplementedError


class FakeBinance(FakeServer):
    """Binance spot (BTCUSDT, ETHBTC) and USD-M (BTCUSDT)."""

    has_spot = True

    def answer(self, path, query):
        if path in ("/api/v3/klines", "/fapi/v1/klines"):
            return self.klines(query, most=1000 if path.startswith("/api") else 1500)
        routes = {
            "/api/v3/time": {"serverTime": self.market.now} if self.has_spot else None,
            "/fapi/v1/time": {"serverTime": self.market.now},
            "/api/v3/exchangeInfo": {
                "symbols": [self.pair("BTC", "USDT"), self.pair("ETH", "BTC")]
            },
            "/fapi/v1/exchangeInfo": {"symbols": [self.contract("BTC", "USDT")]},
        }
        if path == "/futures/data/openInterestHist":
            return self.open_interest(query)
        if path == "/fapi/v1/fundingRate":
            return self.funding(query)
        return routes.get(path)

    def klines(self, query, most):
        length = LENGTHS[query["interval"]] * MINUTE
        limit = int(query.get("limit", 500))
        assert limit <= most
        opens = self.market.opens(int(query["startTime"]), int(query["endTime"]), length)[:limit]
        return [self.kline(t, length) for t in opens]

    def kline(self, t, length):
        o, h, low, c, v, buys = (f"{value:.8f}" for value in self.market.row(t))
        return [t, o, h, low, c, v, t + length - 1, "0", 5, buys, "0", "0"]

    def open_interest(self, query):
        period = 5 * MINUTE
        first = max(int(query["startTime"]), self.market.listed_at)
        first = -(-first // period) * period
        times = range(first, min(int(query["endTime"]), self.market.now) + 1, period)[:500]
        return [
            {"symbol": "BTCUSDT", "sumOpenInterest": f"{t // period % 1000}", "timestamp": t}
            for t in times
        ]

    def funding(self, query):
        period = 8 * 60 * MINUTE
        first = -(-max(int(query["startTime"]), self.market.listed_at) // period) * period
        times = range(first, min(int(query["endTime"]), self.market.now) + 1, period)[:1000]
        return [{"symbol": "BTCUSDT", "fundingTime": t + 7, "fundingRate": "0.0001"} for t in times]

    @staticmethod
    def pair(base, quote):
        return {
            "symbol": base + quote,
            "status": "TRADING",
            "baseAsset": base,
            "quoteAsset": quote,
            "isSpotTradingAllowed": True,
            "permissions": ["SPOT"],
            "filters": [],
        }

    @staticmethod
    def contract(base, quote):
        return {
            "symbol": base + quote,
            "pair": base + quote,
            "contractType": "PERPETUAL",
            "status": "TRADING",
            "baseAsset": base,
            "quoteAsset": quote,
            "marginAsset": quote,
            "onboardDate": LISTED_AT,
            "filters": [],
        }


class FakeBybit(FakeServer):
    """Bybit v5 (BTCUSDT spot and linear): lists come newest first."""

    def answer(self, path, query):
        if path == "/v5/market/time":
            return {"retCode": 0, "result": {}, "time": self.market.now}
        if path == "/v5/market/instruments-info":
            listed = [] if "status" in query else [self.instrument(query["category"])]
            return self.result(listed, query["category"])
        lists = {
            "/v5/market/kline": self.klines,
            "/v5/market/open-interest": self.open_interest,
            "/v5/market/funding/history": self.funding,
        }
        return self.result(lists[path](query)) if path in lists else None

    def klines(self, query):
        length = LENGTHS[query["interval"]] * MINUTE
        opens = self.market.opens(int(query["start"]), int(query["end"]), length)
        rows = [[str(t), *map(str, self.market.row(t)[:5]), "0"] for t in opens]
        return rows[::-1][: int(query.get("limit", 200))]

    def open_interest(self, query):
        period = 5 * MINUTE
        first = -(-int(query["startTime"]) // period) * period
        times = range(first, min(int(query["endTime"]), self.market.now) + 1, period)
        rows = [{"openInterest": str(t // period % 1000), "timestamp": str(t)} for t in times]
        return rows[::-1][: int(query.get("limit", 50))]

    def funding(self, query):
        period = 8 * 60 * MINUTE
        first = -(-int(query["startTime"]) // period) * period
        times = range(first, min(int(query["endTime"]), self.market.now) + 1, period)
        rows = [
            {"symbol": "BTCUSDT", "fundingRate": "-0.0002", "fundingRateTimestamp": str(t)}
            for t in times
        ]
        return rows[::-1][: int(query["limit"])]

    @staticmethod
    def result(rows, category=""):
        result = {"category": category, "list": rows, "nextPageCursor": ""}
        return {"retCode": 0, "retMsg": "OK", "result": result}

    @staticmethod
    def instrument(category):
        return {
            "symbol": "BTCUSDT",
            "baseCoin": "BTC",
            "quoteCoin": "USDT",
            "settleCoin": "USDT",
            "status": "Trading",
            "contractType": "LinearPerpetual" if category == "linear" else "",
            "launchTime": str(LISTED_AT),
            "lotSizeFilter": {},
            "priceFilter": {},
            "leverageFilter": {},
        }


class FakeHyperliquid(FakeServer):
    """Hyperliquid's info endpoint (BTC and a pair @1); only the newest 5000 candles exist."""

    def answer(self, path, body):
        context = {"markPx": "100", "midPx": "100"}
        routes = {
            "exchangeStatus": {"time": self.market.now, "specialStatuses": None},
            "metaAndAssetCtxs": [{"universe": [{"name": "BTC", "szDecimals": 5}]}, [context]],
            "spotMetaAndAssetCtxs": [
                {
                    "universe": [{"name": "@1", "index": 0, "tokens": [1, 0]}],
                    "tokens": [
                        {"name": "USDC", "szDecimals": 8},
                        {"name": "HFUN", "szDecimals": 2},
                    ],
                },
                [context],
            ],
        }
        if path == "candleSnapshot":
            return self.candles(body["req"])
        if path == "fundingHistory":
            return self.funding(body)
        return routes.get(path)

    def candles(self, request):
        length = LENGTHS[request["interval"]] * MINUTE
        newest = self.market.now // length * length
        start = max(request["startTime"], newest - 4999 * length)
        records = []
        for t in self.market.opens(start, request["endTime"], length):
            o, h, low, c, v, _ = map(str, self.market.row(t))
            records.append(
                {"t": t, "T": t + length - 1, "s": request["coin"], "i": request["interval"]}
                | {"o": o, "h": h, "l": low, "c": c, "v": v, "n": 3}
            )
        return records

    def funding(self, body):
        hour = 60 * MINUTE
        first = -(-body["startTime"] // hour) * hour
        times = range(first, min(body["endTime"], self.market.now) + 1, hour)[:500]
        return [{"coin": "BTC", "fundingRate": "0.0000125", "time": t + 31} for t in times]


@pytest.fixture
def market():
    return Market()


@pytest.fixture
async def binance(market):
    server = FakeBinance(market)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def bybit(market):
    server = FakeBybit(market)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def hyperliquid(market):
    server = FakeHyperliquid(market)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def fake_time():
    return FakeTime()


@pytest.fixture
def store(tmp_path: Path):
    problems = []
    store = CandleStore(tmp_path / "candles", on_problem=problems.append)
    yield store
    assert problems == []


@pytest.fixture
def settings_for():
    """Settings for an exchange at an address; credentials where it needs them."""

    def make(name, url):
        secret = SecretStr("a-secret") if name in ("binance", "bybit") else None
        return ExchangeSettings(name, secret, secret, url)

    return make


@pytest.fixture
def connect(fake_time, settings_for):
    """Open an exchange at an address, with a time that passes only when slept."""

    def make(name, url, **options):
        return open_exchange(settings_for(name, url), timing=fake_time.timing, **options)

    return make


@pytest.fixture
def provide(store, settings_for, fake_time, tmp_path):
    """A provider over the test's store, and the key of its series."""

    def make(name, url, symbol="BTC/USDT", timeframe="1m", **options):
        provider = HistoricalDataProvider(
            store,
            settings_for(name, url),
            funding_root=tmp_path / "funding",
            opener=lambda settings: open_exchange(settings, timing=fake_time.timing, **options),
        )
        return provider, SeriesKey(name, symbol, timeframe)

    return make
