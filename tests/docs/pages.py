"""The documentation as tests read it: blocks, inline code, and the command lines in both."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.docs.table import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
FILES = {path.name: path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}

_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`([^`]+)`")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True, slots=True)
class Code:
    """A block, a line of one, or inline code; `at` orders those of a page."""

    page: str
    at: int
    text: str
    language: str | None = None

    def __str__(self) -> str:
        line = read(self.page).count("\n", 0, self.at) + 1
        return f"{self.page}:{line}: {self.text.splitlines()[0]}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line: its words without comment and without variables set before it."""

    code: Code
    text: str

    @property
    def words(self) -> list[str]:
        words = shlex.split(self.text, comments=True)
        return [word for i, word in enumerate(words) if not _sets(words[: i + 1])]

    @property
    def program(self) -> str:
        return self.words[0]


def read(page: str) -> str:
    return FILES[page].read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[Code]:
    """Return a page's blocks of these languages, of all where none is named."""
    found = [
        Code(page, match.start(2), match[2], match[1].strip())
        for match in _BLOCK.finditer(read(page))
    ]
    return [code for code in found if not languages or code.language in languages]


def inline(page: str) -> list[Code]:
    """Return what stands between single backticks outside of blocks, on one line."""
    prose = _BLOCK.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), read(page))
    return [
        Code(page, match.start(1), " ".join(match[1].split())) for match in _INLINE.finditer(prose)
    ]


def commands(page: str, program: str | None = None) -> list[Command]:
    """Return a page's command lines in their order: those of shell blocks and inline ones."""
    lines = [line for block in blocks(page, "sh") for line in _lines(block)]
    mentioned = [code for code in inline(page) if _is_command(code.text)]
    found = [
        Command(code, part)
        for code in sorted(lines + mentioned, key=lambda code: code.at)
        for part in _without_comment(code.text).split(" && ")
    ]
    return [command for command in found if program in (None, command.program)]


def every_command(program: str | None = None) -> list[Command]:
    return [command for page in FILES for command in commands(page, program)]


def _lines(block: Code) -> list[Code]:
    at, found = block.at, []
    for line in block.text.splitlines(keepends=True):
        if _without_comment(line):
            found.append(Code(block.page, at, line.strip(), block.language))
        at += len(line)
    return found


def _is_command(text: str) -> bool:
    """Whether inline code is a line for the shell: a program that is known, with words behind."""
    words = text.split()
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    return len(words) > 1 and words[0] in PROGRAMS


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line).strip()


def _sets(words: list[str]) -> bool:
    return all(_ASSIGNMENT.fullmatch(word) for word in words)
