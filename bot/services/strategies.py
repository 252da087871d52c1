"""Finding strategies: each file of the folder is one, known by its name. Runs none of them."""

import hashlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from bot.errors import BrokenStrategy, UnknownStrategy
from bot.services.strategy_params import ParamInfo, check_params, describe_params
from engine.errors import EngineError
from engine.failures import RAISED
from engine.strategy import Strategy
from engine.words import nearest

_ENGINE_FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "engine"


@dataclass(frozen=True, slots=True)
class StrategyInfo:
    """What a strategy says about itself."""

    name: str
    summary: str
    description: str
    timeframes: tuple[str, ...]
    params: tuple[ParamInfo, ...]


@dataclass(frozen=True, slots=True)
class LoadedStrategy:
    """A strategy class with the hash of its source and of the engine it runs on."""

    name: str
    strategy: type[Strategy]
    code_sha256: str
    path: Path

    @property
    def info(self) -> StrategyInfo:
        """What the strategy says about itself."""
        text = (self.strategy.__doc__ or "").strip()
        return StrategyInfo(
            name=self.name,
            summary=text.split("\n", 1)[0],
            description="\n".join(line.strip() for line in text.splitlines()),
            timeframes=self.strategy.timeframes,
            params=describe_params(self.strategy.Params),
        )


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A file as it was read last; its code is run anew for each load, so that none sees another."""

    source: bytes
    code: CodeType
    code_sha256: str


class StrategyLibrary:
    """The strategies of a folder; a broken file takes no other down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._compiled: dict[str, _Compiled] = {}
        self._engine_source: bytes | None = None

    def names(self) -> list[str]:
        """Return the names of all strategy files, broken ones too."""
        if not self.folder.is_dir():
            return []
        files = self.folder.glob("*.py")
        return sorted(path.stem for path in files if not path.stem.startswith("_"))

    def load(self, name: str) -> LoadedStrategy:
        """Load a strategy's file as it is now.

        Raises:
            UnknownStrategy: there is no such file; names the nearest.
            BrokenStrategy: the file can't be loaded; names file and line.
        """
        names = self.names()
        if name not in names:
            raise UnknownStrategy(self._unknown(name, names))
        # As the import system names it: failures look for their file by its name.
        path = self.folder.absolute() / f"{name}.py"
        try:
            source = path.read_bytes()
        except OSError as error:
            raise BrokenStrategy(f"strategy {name} can't be read: {error.strerror}") from error
        compiled = self._compiled.get(name)
        if compiled is None or compiled.source != source:
            code = _compile(source, path, name)
            compiled = _Compiled(source, code, self._code_hash(source))
            self._compiled[name] = compiled
        strategy = _find_class(_import(compiled.code, path, name), path, name)
        return LoadedStrategy(name, strategy, compiled.code_sha256, path)

    def load_all(self) -> tuple[list[LoadedStrategy], list[str]]:
        """Load all; return those that work and a message for each that doesn't."""
        loaded, broken = [], []
        for name in self.names():
            try:
                loaded.append(self.load(name))
            except BrokenStrategy as error:
                broken.append(str(error))
        return loaded, broken

    def _code_hash(self, source: bytes) -> str:
        if self._engine_source is None:
            # Read once: the engine that runs is the one that this process began with.
            files = sorted(_ENGINE_FOLDER.rglob("*.py"))
            self._engine_source = b"".join(path.read_bytes() for path in files)
        return hashlib.sha256(source + self._engine_source).hexdigest()

    def _unknown(self, name: str, names: list[str]) -> str:
        if not names:
            return f"no strategy {name!r}: there are no strategy files in {self.folder}"
        hint = nearest(name, names)
        guess = f"did you mean {hint}? " if hint else ""
        return f"no strategy {name!r}: {guess}there are {', '.join(names)}"


def _compile(source: bytes, path: Path, name: str) -> CodeType:
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise BrokenStrategy(_describe(error, path, name)) from error


def _import(code: CodeType, path: Path, name: str) -> ModuleType:
    unique = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    module_name = f"jesse_strategy_{unique}_{name}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None:
        raise BrokenStrategy(f"strategy {name}: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Typed parameters look their annotations up in sys.modules.
    sys.modules[module_name] = module
    try:
        exec(code, vars(module))
    except RAISED as error:
        del sys.modules[module_name]
        raise BrokenStrategy(_describe(error, path, name)) from error
    return module


def _describe(error: BaseException, path: Path, name: str) -> str:
    if isinstance(error, SyntaxError):
        line: int | None = error.lineno
        text = error.msg
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
        # Behind a blank line pydantic tells where to read more.
        told = str(error).partition("\n\n")[0]
        text = f"{type(error).__name__}: {told}"
    place = f"{path.name}, line {line}" if line else path.name
    return f"strategy {name} can't be loaded: {text} ({place})"


def _find_class(module: ModuleType, path: Path, name: str) -> type[Strategy]:
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == module.__name__
    ]
    wanted = _class_name(name).lower()
    matching = [value for value in found if value.__name__.lower() == wanted] or found
    if len(matching) != 1:
        raise BrokenStrategy(
            f"strategy {name}: {path.name} must have one class derived from Strategy, "
            f"found {_names(matching, name)}"
        )
    try:
        matching[0].check_definition()
        check_params(matching[0])
    except (EngineError, BrokenStrategy) as error:
        raise BrokenStrategy(f"strategy {name} ({path.name}): {error}") from error
    return matching[0]


def _names(found: list[type[Strategy]], name: str) -> str:
    if not found:
        return "none"
    names = ", ".join(value.__name__ for value in found)
    return f"{names}: name the one to run {_class_name(name)}"


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace("-", "_").split("_"))
