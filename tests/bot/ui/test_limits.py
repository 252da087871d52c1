"""Discord's limits hold whatever goes in, and nobody's text has an effect."""

import re

import discord
from hypothesis import given
from hypothesis import strategies as st

from bot.ui.limits import (
    EMBEDS_TOTAL,
    Card,
    Markup,
    clip,
    code,
    escape,
    join_lines,
    length,
    plain,
)

ANY = st.text(st.characters(), max_size=400)
HOSTILE = st.text("\\`*_~|<>[]()@#:/-\n\t 1.aé😀\u202e\ud800", max_size=300)
MENTIONS = re.compile(r"@(everyone|here)|(?<!\\)<(@[!&]?|#|/|a?:|t:)")


@given(ANY | HOSTILE, st.integers(1, 200))
def test_clipping_never_exceeds_and_never_cuts_a_character(text, limit):
    clipped = clip(text, limit)

    assert length(clipped) <= limit
    assert clipped == text or clipped.endswith("…")


@given(HOSTILE, st.integers(2, 100))
def test_clipping_escaped_text_leaves_no_open_escape(text, limit):
    clipped = clip(escape(text), limit)

    body = clipped.removesuffix("…")
    assert (len(body) - len(body.rstrip("\\"))) % 2 == 0


@given(HOSTILE | ANY)
def test_escaped_text_mentions_and_formats_nothing(text):
    shown = escape(text)

    assert not MENTIONS.search(shown)
    assert discord.utils.escape_mentions(shown) == shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_~`|\[]", shown)
    assert not re.search(r"^(#{1,3}|[-+]|\d+\.) ", shown, re.M)
    assert "http://" not in escape("http://x")
    shown.encode()


@given(HOSTILE | ANY)
def test_escaping_shows_what_was_written(text):
    kept = "".join(character for character in text if character.isalnum())
    shown = escape(kept)

    assert shown == kept.encode("utf-8", "replace").decode()


@given(ANY | HOSTILE, st.integers(1, 100))
def test_plain_text_is_one_short_line_and_never_empty(text, limit):
    shown = plain(text, limit)

    assert 1 <= length(shown) <= limit
    assert "\n" not in shown
    assert "@everyone" not in shown


@given(ANY | HOSTILE)
def test_code_has_no_way_out(text):
    shown = code(text, 80)

    assert shown.count("`") == 2
    assert length(shown) <= 80


@given(st.lists(ANY.map(Markup), max_size=60), st.integers(60, 1024))
def test_lines_fit_and_those_left_out_are_counted(lines, limit):
    shown = join_lines(lines, limit)

    assert length(shown) <= limit


def test_left_out_lines_are_counted_exactly():
    shown = join_lines([Markup("x" * 90)] * 50, 1000, more="gaps")

    kept = shown.count("x" * 90)
    assert shown.endswith(f"… and {50 - kept} gaps")
    assert kept == 10


@given(
    title=ANY | HOSTILE,
    description=ANY | HOSTILE,
    fields=st.lists(st.tuples(ANY | HOSTILE, st.text(max_size=2000)), max_size=40),
    footer=ANY | HOSTILE,
)
def test_a_card_is_an_embed_that_discord_takes(title, description, fields, footer):
    card = Card(title).describe(escape(description))
    for name, value in fields:
        card.field(name, Markup(value))
    embed = card.footer(footer).build()

    assert 1 <= length(embed.title) <= 256
    assert len(embed.fields) <= 25
    assert all(1 <= length(field.name) <= 256 for field in embed.fields)
    assert all(1 <= length(field.value) <= 1024 for field in embed.fields)
    assert length(embed.footer.text or "") <= 2048
    assert card.dropped == len(fields) - len(embed.fields)
    assert len(embed) <= EMBEDS_TOTAL


def test_a_card_keeps_to_its_share_of_the_message():
    card = Card("t", budget=300).describe(Markup("d" * 250))
    for number in range(10):
        card.field(f"f{number}", Markup("v" * 20))

    assert len(card.build()) <= 300
    assert card.dropped == 8
