"""The `jesse` command: arguments, exit codes and errors. Each command imports what it needs.

Exit codes: 0 done, 1 failed, 2 bad input. Errors are one or two lines on standard error.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_COMMANDS = {
    "backtest": "bot.console.backtest:run",
    "sweep": "bot.console.sweep:run",
    "fetch-data": "bot.console.market:fetch",
    "import-data": "bot.console.market:import_files",
    "strategies": "bot.console.strategies:run",
    "check": "bot.console.check:run",
    "forward-test": "bot.console.forward:run",
    "trades": "bot.console.forward:trades",
    "simulate": "bot.console.simulate:run",
    "doctor": "bot.console.doctor:run",
    "demo": "bot.console.demo:run",
    "run": "bot.console.run:run",
}


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line instead of its whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """Prints the version; looks it up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> None:
        from importlib.metadata import version

        print(f"{parser.prog} {version('jesse')}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    module, name = _COMMANDS[arguments.command].split(":")
    try:
        code: int = getattr(importlib.import_module(module), name)(arguments)
    except KeyboardInterrupt:
        print("stopped; what was done so far is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:  # noqa: BLE001 - the border of the shell: told, never a traceback
        from bot.console.failures import report_failure

        return report_failure(error)
    return code


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="jesse", description="Research crypto strategies: fetch candles, backtest, simulate."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="command")
    _add_backtest(commands.add_parser("backtest", help="run a strategy over history"))
    _add_sweep(commands.add_parser("sweep", help="run a strategy with many parameter sets"))
    claims = "whether a strategy repeats itself, sees no future and wakes in time"
    check = commands.add_parser("check", help=claims)
    _add_run(check)
    _add_forward(commands.add_parser("forward-test", help="trade on paper on live candles"))
    trades = commands.add_parser("trades", help="list the trades of a forward test")
    trades.add_argument("--test", required=True, metavar="NAME")
    trades.add_argument("--json", type=Path, metavar="PATH", help="write them as JSON")
    _add_fetch(commands.add_parser("fetch-data", help="download candles into the cache"))
    _add_import(commands.add_parser("import-data", help="import candle files into the cache"))
    strategies = commands.add_parser("strategies", help="list strategies, or describe one")
    strategies.add_argument("name", nargs="?", help="a strategy to describe")
    _add_simulate(commands.add_parser("simulate", help="run the simulated exchange alone"))
    commands.add_parser("doctor", help="check settings, machine, exchange and Discord")
    demo = commands.add_parser("demo", help="try Jesse with no account on simulated prices")
    demo.add_argument("--once", action="store_true", help="do the first look, then exit")
    commands.add_parser("run", help="start the Discord bot")
    return parser


def _add_market(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--symbol", help="such as BTC/USDT (default: SYMBOL)")
    parser.add_argument("--exchange", help="binance, bybit, hyperliquid or simulated")


def _add_period(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--start", help="2024-01-31, 2024-01, or back from the end: 90d, 1y")
    parser.add_argument("--end", help="as --start; excluded")


def _add_backtest(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results as JSON")
    parser.add_argument("--charts", type=Path, metavar="DIR", help="write charts (HTML and PNG)")


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument(
        "--params",
        required=True,
        metavar="RANGES",
        help="such as fast_period=10:60:10,allow_short=true|false",
    )
    parser.add_argument("--sort", default="sharpe_ratio", metavar="METRIC", help="best first by it")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="how many are shown")
    parser.add_argument(
        "--hold-out", type=float, default=0.0, metavar="PERCENT", help="judge the best on the end"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: all cores)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all runs as JSON")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--strategy", required=True, help="a name that `jesse strategies` lists")
    _add_market(parser)
    _add_period(parser)
    parser.add_argument("--initial-balance", type=float, metavar="USD")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    parser.add_argument("--fee-rate", type=float, help="a fraction, such as 0.0005")
    parser.add_argument("--slippage-bps", type=float, help="basis points on market fills")
    parser.add_argument("--max-leverage", type=float, help="total notional over equity")
    parser.add_argument(
        "--fill", choices=("close", "next_open"), default="close", help="where signals are filled"
    )
    parser.add_argument("--offline", action="store_true", help="use only what the cache holds")


def _add_forward(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--strategy", required=True, help="a name that `jesse strategies` lists")
    _add_market(parser)
    parser.add_argument("--initial-balance", type=float, metavar="USD")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    parser.add_argument("--name", metavar="TEST", help="the same name again resumes that test")
    parser.add_argument("--until", metavar="TIME", help="stop at this market time")
    parser.add_argument(
        "--candles-only", action="store_true", help="act at closes only, not on ticks"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results as JSON")


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    _add_market(parser)
    parser.add_argument("--timeframe", default="1m", help="default 1m")
    _add_period(parser)


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV or Parquet")
    _add_market(parser)
    parser.add_argument("--timeframe", default="1m", help="of the candles in the files")


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds per second")


if __name__ == "__main__":
    sys.exit(main())
