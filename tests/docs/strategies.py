"""The Python blocks of the documentation, sorted by what is to be done with them."""

import re
from dataclasses import dataclass

from tests.docs.pages import FILES, Code, blocks


@dataclass(frozen=True, slots=True)
class Source:
    """A whole strategy, and the name that it is saved by."""

    code: Code
    name: str


def kind_of(code: Code) -> str:
    """Return strategy, test or methods; empty where it is none of them."""
    if "(Strategy):" in code.text:
        return "strategy"
    if re.search(r"^def test_", code.text, re.M):
        return "test"
    return "methods" if re.match(r"def \w+\(self\b", code.text) else ""


def strategies(page: str) -> list[Source]:
    return [Source(code, _file_name(code.text)) for code in _of_kind(page, "strategy")]


def checks(page: str) -> list[Code]:
    return _of_kind(page, "test")


def methods(page: str) -> list[Code]:
    return _of_kind(page, "methods")


def of_every_page(find) -> list:
    return [found for page in FILES for found in find(page)]


def _of_kind(page: str, kind: str) -> list[Code]:
    return [code for code in blocks(page, "python") if kind_of(code) == kind]


def _file_name(source: str) -> str:
    name = re.search(r"^class (\w+)\(Strategy\)", source, re.M)[1]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
