import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox import rules
from bot.sandbox.errors import DiscordError
from bot.sandbox.rules import Issue, check_embeds, check_message, embed_length, error_tree

texts = st.text(max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
embed_keys = st.sampled_from(
    ["title", "description", "fields", "footer", "author", "image", "thumbnail", "url", "color"]
)
message_keys = st.sampled_from(
    ["content", "embeds", "nonce", "flags", "components", "attachments", "allowed_mentions"]
)
wild_embeds = st.dictionaries(embed_keys, json_values, max_size=5)
wild_messages = st.dictionaries(message_keys, json_values | st.lists(wild_embeds, max_size=3))


def codes(issues):
    return [issue.code for issue in issues]


@given(wild_messages, st.integers(0, 12))
def test_whatever_a_bot_sends_is_judged_without_an_exception(payload, files):
    issues = check_message(payload, files=files)

    tree = error_tree(issues)
    assert bool(tree) == bool(issues)
    rules.is_empty(payload, files=files)


@given(st.text(max_size=2100))
def test_content_passes_up_to_2000_characters(content):
    assert (not check_message({"content": content})) == (len(content) <= 2000)


@given(st.lists(st.integers(1, 4096), min_size=1, max_size=4))
def test_embeds_pass_up_to_6000_characters_together(lengths):
    embeds = [{"description": "x" * length} for length in lengths]

    refused = "MAX_EMBED_SIZE_EXCEEDED" in codes(check_embeds(embeds))

    assert refused == (sum(lengths) > 6000)
    assert sum(map(embed_length, embeds)) == sum(lengths)


@pytest.mark.parametrize(
    ("embed", "path"),
    [
        ({"title": "x" * 257}, "title"),
        ({"description": "x" * 4097}, "description"),
        ({"footer": {"text": "x" * 2049}}, "footer"),
        ({"author": {"name": "x" * 257}}, "author"),
        ({"fields": [{"name": "x" * 257, "value": "v"}]}, "fields"),
        ({"fields": [{"name": "n", "value": "x" * 1025}]}, "fields"),
        ({"fields": [{"name": "n", "value": " "}]}, "fields"),
        ({"fields": [{"name": "n", "value": "v"}] * 26}, "fields"),
        ({"color": 0x1000000}, "color"),
        ({"image": {"url": "chart.png"}}, "image"),
        ({"url": "ftp://example.org"}, "url"),
    ],
)
def test_each_limit_of_an_embed_is_reported_where_it_is_broken(embed, path):
    issues = check_embeds([embed])

    assert [issue.path[:3] for issue in issues] == [("embeds", 0, path)]


def test_an_embed_at_every_limit_passes():
    fields = [{"name": "n" * 10, "value": "v" * 10}] * 25
    embed = {
        "title": "t" * 256,
        "description": "d" * 4096,
        "footer": {"text": "f" * 892},
        "author": {"name": "a" * 256},
        "fields": fields,
        "color": 0xFFFFFF,
        "image": {"url": "attachment://chart.png"},
        "url": "https://example.org",
    }

    assert embed_length(embed) == 6000
    assert check_embeds([embed]) == []


def test_eleven_embeds_and_eleven_files_are_refused():
    issues = check_message({"embeds": [{"title": "x"}] * 11}, files=11)

    assert [issue.path for issue in issues] == [("embeds",), ("attachments",)]


def test_a_layout_can_not_have_text_or_embeds():
    issues = check_message({"flags": 1 << 15, "content": "x", "embeds": [{"title": "x"}]})

    assert [issue.path for issue in issues] == [("content",), ("embeds",)]


@pytest.mark.parametrize("payload", [{}, {"content": None}, {"content": " \n"}, {"embeds": []}])
def test_a_message_without_anything_is_empty(payload):
    assert rules.is_empty(payload, files=0)
    assert not rules.is_empty(payload, files=1)


def test_the_error_tree_has_discords_form():
    issue = Issue(("embeds", 0, "title"), "BASE_TYPE_MAX_LENGTH", "Must be 256 or fewer in length.")

    with pytest.raises(DiscordError) as refused:
        rules.require_valid([issue])

    assert refused.value.body() == {
        "code": 50035,
        "message": "Invalid Form Body",
        "errors": {
            "embeds": {
                "0": {
                    "title": {
                        "_errors": [
                            {
                                "code": "BASE_TYPE_MAX_LENGTH",
                                "message": "Must be 256 or fewer in length.",
                            }
                        ]
                    }
                }
            }
        },
    }
