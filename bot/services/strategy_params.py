"""What a strategy's parameters are called, take and default to, as shown to people and typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import PydanticUserError, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from bot.errors import BrokenStrategy
from engine.strategy import Strategy, StrategyParams

_RANGE_WORDS: Final = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))

_Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ParamInfo:
    """One parameter as shown to people: type name, default, range or choices, and description.

    `default` is a value for JSON; a required parameter has none.
    """

    name: str
    type: str
    default: Any
    range: str
    description: str
    is_required: bool = False

    @property
    def default_text(self) -> str:
        """The default as it is typed; empty where there is none."""
        return as_typed(self.default)


def as_typed(value: Any) -> str:
    """Return a parameter's value as people type it; none at all is typed as nothing."""
    return "" if value is None else str(value)


def check_params(strategy: type[Strategy]) -> None:
    """Check what a strategy's parameters are made of.

    Raises:
        BrokenStrategy: they are no `StrategyParams`, or one goes by another name than its own.
    """
    params, name = strategy.Params, f"{strategy.__name__}.Params"
    if not (isinstance(params, type) and issubclass(params, StrategyParams)):
        raise BrokenStrategy(f"{name} must derive from StrategyParams")
    for field_name, field in params.model_fields.items():
        if field.alias or field.validation_alias:
            raise BrokenStrategy(
                f"{name}.{field_name} has an alias: parameters go by their own names, leave it out"
            )


def describe_params(params: type[StrategyParams]) -> tuple[ParamInfo, ...]:
    """Return what there is to say of each parameter, in their order."""
    return tuple(_describe(name, field) for name, field in params.model_fields.items())


def _describe(name: str, field: FieldInfo) -> ParamInfo:
    schema = _schema_of(field)
    return ParamInfo(
        name=name,
        type=_type_of(schema),
        default=_default(field.get_default(call_default_factory=True, validated_data={})),
        range=_choices(schema) or _range(field.metadata),
        description=field.description or "",
        is_required=field.is_required(),
    )


def _schema_of(field: FieldInfo) -> _Schema:
    kind: Any = field.annotation
    try:
        return TypeAdapter(kind).json_schema()
    except PydanticUserError:  # a type that has none
        return {}


def _default(value: Any) -> Any:
    return None if value is PydanticUndefined else to_jsonable_python(value, fallback=str)


def _forms(schema: _Schema) -> list[_Schema]:
    """Return what a value may be: the parts of a union, each with its definition looked up."""
    return [
        schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        for part in schema.get("anyOf", [schema])
    ]


def _type_of(schema: _Schema) -> str:
    names = [str(form.get("type", "value")) for form in _forms(schema)]
    return " or ".join("none" if name == "null" else name for name in names)


def _choices(schema: _Schema) -> str:
    choices = [choice for form in _forms(schema) for choice in form.get("enum", ())]
    return " or ".join(map(str, choices))


def _range(metadata: list[Any]) -> str:
    limits = [
        f"{sign} {getattr(item, word)}"
        for word, sign in _RANGE_WORDS
        for item in metadata
        if getattr(item, word, None) is not None
    ]
    return ", ".join(limits)
