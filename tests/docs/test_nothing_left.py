"""No block and no command line of the documentation is looked at by nobody."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import FILES, ROOT, blocks, every_command, inline, read
from tests.docs.table import LANGUAGES, NOBODY, PROGRAMS


@pytest.mark.parametrize("page", FILES)
def test_every_block_has_a_language_that_somebody_looks_at(page):
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{block}: language {block.language!r}"
    assert len(blocks(page)) == read(page).count("```") / 2


@pytest.mark.parametrize("page", FILES)
def test_no_block_hides_in_an_indentation(page):
    blank = r"(?:^|\n)\s*\n"
    prose = re.sub(r"^```.*?^```$", "", read(page), flags=re.M | re.S)
    assert not re.search(rf"{blank} {{4,}}(?!\d+\.|-)\S", prose)


def test_every_command_line_has_a_program_that_somebody_looks_at():
    looked_at = {name for name, by in PROGRAMS.items() if by != NOBODY}
    assert [c.code for c in every_command() if c.program not in looked_at] == []
    assert looked_at == {command.program for command in every_command()}


def test_whoever_is_said_to_look_at_them_exists():
    for said in (*PROGRAMS.values(), *LANGUAGES.values()):
        for name in re.findall(r"test_\w+\.py", said):
            places = [ROOT / "tests" / name, Path(__file__).parent / name]
            assert any(path.exists() for path in places), name


def test_inline_code_with_a_flag_is_a_command_line_that_is_known():
    lines = {command.code for command in every_command()}
    for page in FILES:
        for code in inline(page):
            if re.match(r"[a-z./]\S* .*(?<=\s)-{1,2}[a-z]", code.text):
                assert code in lines, code


def test_json_and_units_stand_where_they_are_tested():
    assert [b.page for page in FILES for b in blocks(page, "json")] == ["operations.md"]
    assert [b.page for page in FILES for b in blocks(page, "ini")] == ["deployment.md"]
