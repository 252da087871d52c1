"""Links and settings of the documentation; what it shows in code is run in tests/docs/."""

import re

from bot.settings import Settings
from tests.docs.pages import FILES, inline, read


def test_every_link_between_pages_leads_somewhere():
    for page, path in FILES.items():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", read(page)):
            assert (path.parent / target).exists(), f"{page} links to {target}"


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", read("README.md")))
    assert linked == FILES.keys() - {"README.md"}


def test_settings_that_are_shown_with_a_value_take_it():
    shown = [
        (code, *code.text.split("=", 1))
        for page in FILES
        for code in inline(page)
        if re.match(r"[A-Z_]+=\S+$", code.text) and not code.text.endswith("...")
    ]
    taken = [
        getattr(Settings.load(None, **{name.lower(): value}), name.lower())
        for _, name, value in shown
        if name.lower() in Settings.model_fields
    ]
    # ARGS is make's, the other one Railway's.
    others = {name for _, name, _ in shown if name.lower() not in Settings.model_fields}
    assert others == {"ARGS", "RAILWAY_RUN_UID"}
    assert len(taken) > 5
