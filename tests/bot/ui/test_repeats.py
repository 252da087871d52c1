"""Alerts that stand for several say so, within their budget, in cards, lines and plain words."""

from datetime import UTC, datetime

import discord
import pytest

from bot.ui.limits import length
from bot.ui.repeats import repeats_text, with_repeats

SINCE = int(datetime(2024, 1, 1, 10, 2, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000


def payload(count, hours=1):
    return {"repeats": [count, SINCE, SINCE + hours * HOUR_MS]}


def test_a_count_says_since_when_and_when_last():
    embed = with_repeats(discord.Embed(title="x", description="out of ideas"), payload(5), 590)

    first = SINCE // 1000
    assert embed.description == (
        f"out of ideas\n🔁 **×5** since <t:{first}:t>, the last <t:{first + 3600}:t>"
    )
    assert repeats_text(payload(5)) == " (×5 since 2024-01-01 10:02 UTC)"


def test_a_count_over_days_says_the_days():
    embed = with_repeats(discord.Embed(), payload(1_440, hours=30), 590)

    assert "×1,440** since <t:1704103320:f>" in embed.description


def test_an_alert_that_came_once_stays_as_it_is():
    embed = discord.Embed(title="x", description="y" * 700)

    assert with_repeats(embed, {}, 590).description == "y" * 700
    assert repeats_text({}) == ""


@pytest.mark.parametrize("size", [0, 400, 560, 600])
def test_a_long_alert_is_cut_not_its_count(size):
    embed = discord.Embed(title="t" * 20, description="d\\*" * (size // 3))
    embed.set_footer(text="one · alert 57")

    with_repeats(embed, payload(123_456, hours=100), 590)

    assert len(embed) <= 590
    assert "×123,456" in embed.description


def test_of_a_long_reason_the_reason_is_cut_not_what_to_do():
    embed = discord.Embed(title="t" * 20, description=f"{'r' * 600}\n\nMend it, then resume")

    with_repeats(embed, payload(5), 590)

    assert "…\n\nMend it, then resume\n🔁 **×5**" in embed.description
    assert len(embed) <= 590


def test_letters_outside_of_the_first_plane_count_twice():
    embed = discord.Embed(title="🛑", description="😀" * 280)
    embed.add_field(name="Open 🟢", value="2 positions")

    with_repeats(embed, payload(5), 590)

    [field] = embed.fields
    texts = (embed.title, embed.description, field.name, field.value)
    assert 580 < sum(length(text) for text in texts) <= 590
