import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

pytest.importorskip("data.exchange")

from bot.errors import InvalidSettings  # noqa: E402 - after the skip above
from bot.settings import Settings  # noqa: E402 - after the skip above


def test_without_any_environment_the_defaults_hold():
    settings = Settings.load()
    assert (settings.exchange, settings.symbol) == ("binance", "BTC/USDT")
    assert settings.initial_balance == 10_000
    assert settings.data_dir == Path("var")
    assert settings.max_jobs >= 1


def test_the_environment_wins_over_the_file_and_arguments_over_both(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("SYMBOL=ETH/USDT\nFEE_RATE=0.001\nMAX_LEVERAGE=2\n")
    monkeypatch.setenv("FEE_RATE", "0.002")
    settings = Settings.load(max_leverage=3.0)
    assert (settings.symbol, settings.fee_rate, settings.max_leverage) == ("ETH/USDT", 0.002, 3.0)


def test_an_empty_value_means_not_set(monkeypatch):
    monkeypatch.setenv("EXCHANGE", "")
    monkeypatch.setenv("DISCORD_GUILD_ID", "")
    settings = Settings.load()
    assert settings.exchange == "binance"
    assert settings.discord_guild_id is None


def test_several_channels_are_given_by_comma(monkeypatch):
    monkeypatch.setenv("DISCORD_CHANNEL_ID", "11, 22")
    assert Settings.load().discord_channel_id == (11, 22)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXCHANGE", "mtgox"),
        ("INITIAL_BALANCE", "-5"),
        ("FEE_RATE", "lots"),
        ("MAX_JOBS", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("DISCORD_GUILD_ID", "my server"),
        ("STALE_DATA_MINUTES", "0"),
        ("SNAPSHOT_MINUTES", "inf"),
        ("SUMMARY_CRON", "at noon"),
        ("WEEKLY_SUMMARY_CRON", "0 0 * *"),
    ],
)
def test_a_wrong_value_is_refused_by_the_settings_name(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=name):
        Settings.load()


@pytest.mark.parametrize("value", ["off", "OFF", "", " "])
def test_summaries_can_be_off(value):
    settings = Settings.load(summary_cron=value, weekly_summary_cron=value)
    assert (settings.summary_cron, settings.weekly_summary_cron) == ("off", "off")


def test_summaries_come_at_the_times_of_the_environment(monkeypatch):
    monkeypatch.setenv("SUMMARY_CRON", "0 18 * * *")
    monkeypatch.setenv("WEEKLY_SUMMARY_CRON", "off")
    settings = Settings.load()
    assert (settings.summary_cron, settings.weekly_summary_cron) == ("0 18 * * *", "off")


def test_settings_can_not_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().symbol = "ETH/USDT"


def test_secrets_show_up_nowhere(monkeypatch):
    for name in ("DISCORD_TOKEN", "API_KEY", "API_SECRET", "DISCORD_WEBHOOK_URL"):
        monkeypatch.setenv(name, "canary-4711")
    monkeypatch.setenv("FEE_RATE", "canary-4711")
    with pytest.raises(InvalidSettings) as caught:
        Settings.load()
    assert "canary" not in str(caught.value)
    monkeypatch.setenv("FEE_RATE", "0.1")
    settings = Settings.load()
    assert "canary" not in f"{settings!r} {settings} {settings.exchange_settings!r}"


def test_every_setting_is_documented_in_the_example_and_the_readme():
    names = {name.upper() for name in Settings.model_fields}
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert example == names
    readme = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.M))
    assert readme == names


def test_the_example_itself_is_valid(tmp_path):
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert Settings.load().symbol == "BTC/USDT"


def test_every_secret_is_known_as_one():
    secret = [
        name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)
    ]
    values = {name: f"https://hidden-{name}" for name in secret}
    assert set(Settings.load(**values).secret_values) == set(values.values())
    assert len(values) >= 5
