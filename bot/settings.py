"""Settings: the only reader of the environment and of `.env`. Frozen, made once, passed down."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import InvalidSettings

if TYPE_CHECKING:
    from data.exchange import ExchangeSettings

Exchange = Literal["binance", "bybit", "hyperliquid", "simulated"]
OFF: Final = "off"
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Settings(BaseSettings):
    """Every setting of Jesse; the names are those of the environment, in lower case."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_file_encoding="utf-8",
        env_ignore_empty=True,  # SYMBOL= in a copied .env.example means: not set
        extra="ignore",
        hide_input_in_errors=True,
    )

    discord_token: SecretStr | None = Field(None, description="the bot's token")
    discord_guild_id: int | None = Field(None, description="the one server that the bot serves")
    discord_channel_id: Annotated[tuple[int, ...], NoDecode] = Field(
        (), description="channels it listens in, by comma; alerts go to the first"
    )
    discord_operator_role_id: int | None = Field(
        None, description="the role that may change things"
    )
    discord_webhook_url: SecretStr | None = Field(
        None, description="where alerts go when there is no bot"
    )
    exchange: Exchange = Field("binance", description="binance, bybit, hyperliquid or simulated")
    api_key: SecretStr | None = Field(
        None, description="the exchange's API key (reading is enough)"
    )
    api_secret: SecretStr | None = Field(None, description="the secret of that key")
    symbol: str = Field("BTC/USDT", description="default symbol")
    initial_balance: float = Field(10_000.0, gt=0, description="default balance, USD")
    fee_rate: float = Field(0.0005, ge=0, lt=1, description="fee as a fraction of notional")
    slippage_bps: float = Field(
        0.0, ge=0, lt=10_000, description="slippage of market fills, basis points"
    )
    max_leverage: float = Field(1.0, gt=0, description="total notional over equity")
    data_dir: Path = Field(Path("var"), description="candles, database, charts and logs")
    strategies_dir: Path = Field(Path("strategies"), description="where strategy files lie")
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    exchange_rest_url: str | None = Field(
        None, description="replaces scheme and host of the exchange's REST addresses"
    )
    exchange_ws_url: str | None = Field(
        None, description="replaces scheme and host of the exchange's WebSocket addresses"
    )
    stale_data_minutes: float = Field(
        5.0, gt=0, description="alert after so many minutes without a candle"
    )
    snapshot_minutes: float = Field(
        15.0, gt=0, allow_inf_nan=False, description="how often state is saved in full"
    )
    refresh_cron: str = Field("5 * * * *", description="when cached candles are topped up (cron)")
    summary_cron: str = Field(
        "5 0 * * *", description="when the daily summary is sent (cron), or off"
    )
    weekly_summary_cron: str = Field(
        "10 0 * * 1", description="when the weekly summary is sent (cron), or off"
    )
    max_jobs: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) - 1),
        ge=1,
        le=64,
        description="backtests at a time, default: cores - 1",
    )
    chromium_path: Path | None = Field(None, description="a browser for PNG charts, if not found")
    backup_days: int = Field(7, ge=1, description="how many days of daily backups are kept")
    port: int | None = Field(
        None, ge=1, le=65_535, description="where GET /healthz answers; not set: nowhere"
    )
    heartbeat_url: SecretStr | None = Field(
        None, description="called every minute while all is well"
    )
    # Railway sets these two itself, in every container.
    railway_environment_name: str | None = Field(None, description="set by Railway")
    railway_volume_mount_path: Path | None = Field(None, description="set by Railway")

    @field_validator("discord_channel_id", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("refresh_cron")
    @classmethod
    def _check_cron(cls, value: str) -> str:
        # Imported here, for a scheduler is needed by few commands.
        from bot.services.scheduled.cron import parse_cron

        parse_cron(value)
        return value

    @field_validator("summary_cron", "weekly_summary_cron")
    @classmethod
    def _check_cron_or_off(cls, value: str) -> str:
        return OFF if value.strip().lower() in ("", OFF) else cls._check_cron(value)

    @field_validator("heartbeat_url")
    @classmethod
    def _check_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return value

    @classmethod
    def load(cls, env_file: Path | None = Path(".env"), **overrides: Any) -> Self:
        """Read the environment, then `.env`; `overrides` that are not None win.

        Raises:
            InvalidSettings: names each wrong setting and what it takes, never its value.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(_env_file=env_file, **given)  # type: ignore[call-arg]
        except ValidationError as error:
            problems = [f"{_name(item)}: {item['msg']}" for item in error.errors()]
            raise InvalidSettings("wrong settings: " + "; ".join(problems)) from None

    @property
    def exchange_settings(self) -> "ExchangeSettings":
        """What the data package needs to reach the exchange."""
        # Imported here: clients of exchanges cost half a second that cached work does not need.
        from data.exchange import ExchangeSettings

        return ExchangeSettings(
            name=self.exchange,
            api_key=self.api_key,
            api_secret=self.api_secret,
            rest_url=self.exchange_rest_url,
            ws_url=self.exchange_ws_url,
        )

    @property
    def secret_values(self) -> tuple[str, ...]:
        """The values that must appear nowhere."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))

    @property
    def candles_dir(self) -> Path:
        """Where the candle store lies."""
        return self.data_dir / "candles"

    @property
    def strategies_folder(self) -> Path:
        """Where strategies are found: STRATEGIES_DIR, else those that ship with Jesse."""
        if self.strategies_dir.is_dir() or "strategies_dir" in self.model_fields_set:
            return self.strategies_dir
        return Path(__file__).resolve().parent.parent / "strategies"


def _name(item: Any) -> str:
    return str(item["loc"][0]).upper() if item["loc"] else "settings"
