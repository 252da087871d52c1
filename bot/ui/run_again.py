"""The form that runs a backtest again with other parameters, built from those it declares."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import discord

from bot.permissions import Access
from bot.services.params import parse_params
from bot.services.requests import BacktestAsk
from bot.services.strategy_params import ParamInfo, as_typed
from bot.ui.components import Form, Interaction, owner_of, services_of
from bot.ui.limits import (
    INPUT_DESCRIPTION,
    INPUT_LABEL,
    INPUT_VALUE,
    MODAL_INPUTS,
    MODAL_TITLE,
    plain,
)
from bot.ui.replies import settle

_TIMEOUT_S: Final = 15 * 60
_REST: Final = "rest"


class RunAgainForm(Form):
    """One input per parameter; with more than five, the fifth holds the rest, one to a line.

    Inputs are named by position: a parameter's name may be longer than Discord allows.
    """

    access: ClassVar[Access] = Access.OPERATE

    def __init__(
        self,
        run_id: str,
        ask: BacktestAsk,
        params: Sequence[ParamInfo],
        values: Mapping[str, Any],
    ) -> None:
        title = plain(f"Run {ask.strategy} again", MODAL_TITLE)
        super().__init__(title=title, timeout=_TIMEOUT_S, custom_id=f"jesse:run:{run_id}:form")
        self._ask = ask
        self._defaults = {param.name: param.default_text for param in params}
        count = len(params) if len(params) <= MODAL_INPUTS else MODAL_INPUTS - 1
        self._single: dict[str, discord.ui.TextInput[Any]] = {}
        self._rest: discord.ui.TextInput[Any] | None = None
        for number, param in enumerate(params[:count]):
            self._add_single(number, param, as_typed(values.get(param.name, param.default)))
        if not params:
            self.add_item(discord.ui.TextDisplay("This strategy has no parameters: run it anew."))
        if params[count:]:
            self._add_rest(params[count:], values)

    async def submit(self, interaction: Interaction) -> None:
        """Queue the run and show it like one that was typed."""
        client, services = interaction.client, services_of(interaction)
        ask = replace(self._ask, params=self.chosen())
        job = await settle(interaction, services.research.backtest(ask, owner_of(interaction)))
        await client.job_messages.show(interaction, job)

    def chosen(self) -> dict[str, str]:
        """Return the parameters as filled in; an emptied one falls back to its default.

        What is the default is left out: not every default can be typed, such as a list.

        Raises:
            InvalidInput: a line of the rest isn't name=value.
        """
        single = {name: str(item.value).strip() for name, item in self._single.items()}
        rest = parse_params(str(self._rest.value)) if self._rest is not None else {}
        typed = {name: value for name, value in single.items() if value} | rest
        return {name: text for name, text in typed.items() if text != self._defaults.get(name)}

    def _add_single(self, number: int, param: ParamInfo, value: str) -> None:
        item: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=f"param{number}",
            default=value[:INPUT_VALUE],
            required=False,
            max_length=200 if len(value) <= 200 else INPUT_VALUE,
        )
        self._single[param.name] = item
        about = " · ".join(text for text in (param.type, param.range, param.description) if text)
        self.add_item(
            discord.ui.Label(
                text=plain(param.name, INPUT_LABEL),
                description=plain(about, INPUT_DESCRIPTION),
                component=item,
            )
        )

    def _add_rest(self, params: Sequence[ParamInfo], values: Mapping[str, Any]) -> None:
        texts = {param.name: as_typed(values.get(param.name, param.default)) for param in params}
        fitting = [f"{name}={text}" for name, text in texts.items() if text and " " not in text]
        while len("\n".join(fitting)) > INPUT_VALUE:
            fitting.pop()
        self._rest = discord.ui.TextInput(
            custom_id=_REST,
            style=discord.TextStyle.long,
            default="\n".join(fitting),
            required=False,
            max_length=INPUT_VALUE,
        )
        self.add_item(
            discord.ui.Label(
                text=f"The other {len(params):,} parameters",
                description="one name=value a line; a line taken away falls back to its default",
                component=self._rest,
            )
        )
