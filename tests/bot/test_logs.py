import io
import json
import logging

from bot.logs import logging_to


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_goes_to_the_console_and_as_json_to_the_file(tmp_path):
    console = io.StringIO()
    with logging_to(tmp_path, "INFO", console=console):
        logging.getLogger("jesse.test").info("fetched %s candles", 5, extra={"symbol": "BTC/USDT"})
    assert "INFO    jesse.test: fetched 5 candles symbol=BTC/USDT" in console.getvalue()
    (record,) = _lines(tmp_path / "jesse.log")
    assert record["message"] == "fetched 5 candles"
    assert (record["level"], record["symbol"]) == ("INFO", "BTC/USDT")


def test_the_level_decides_what_is_written(tmp_path):
    with logging_to(tmp_path, "WARNING", console=io.StringIO()):
        logging.getLogger("jesse.test").info("not this")
    assert (tmp_path / "jesse.log").read_text() == ""


def test_a_traceback_is_part_of_the_record(tmp_path):
    with logging_to(tmp_path, "INFO", console=io.StringIO()):
        try:
            raise ValueError("a reason")
        except ValueError:
            logging.getLogger("jesse.test").exception("it failed")
    (record,) = _lines(tmp_path / "jesse.log")
    assert "ValueError: a reason" in record["traceback"]


def test_secrets_are_blotted_out_wherever_they_stand(tmp_path):
    console = io.StringIO()
    with logging_to(tmp_path, "INFO", secrets=("canary-4711",), console=console):
        log = logging.getLogger("jesse.test")
        log.info("the key is %s", "canary-4711")
        log.info("with field", extra={"url": "https://x/canary-4711"})
        try:
            raise ValueError("refused: canary-4711")
        except ValueError:
            log.exception("failed with canary-4711")
    written = console.getvalue() + (tmp_path / "jesse.log").read_text()
    assert "canary" not in written
    assert written.count("[secret]") >= 6


def test_logging_is_undone_afterwards(tmp_path):
    before = list(logging.getLogger().handlers)
    with logging_to(tmp_path, "DEBUG", console=io.StringIO()):
        assert len(logging.getLogger().handlers) == len(before) + 2
    assert logging.getLogger().handlers == before


def test_a_console_may_get_only_what_went_wrong_while_the_file_gets_all(tmp_path):
    console = io.StringIO()
    with logging_to(tmp_path, "INFO", console=console, console_level="WARNING"):
        logging.getLogger("test").info("all is well")
        logging.getLogger("test").warning("it is not")
    assert "all is well" not in console.getvalue()
    assert "it is not" in console.getvalue()
    assert len((tmp_path / "jesse.log").read_text().splitlines()) == 2
