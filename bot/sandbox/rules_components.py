"""Discord's limits on buttons, menus, layouts and modals as pure checks; see rules.py."""

from collections import Counter
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from bot.sandbox.models import Payload
from bot.sandbox.rules import Issue, as_integer, check_list, check_text, check_url

ROWS = 5
BUTTONS_PER_ROW = 5
SELECT_OPTIONS = 25
LAYOUT_COMPONENTS = 40
LAYOUT_TEXT_LENGTH = 4000


class ComponentType(IntEnum):
    """The kinds of component, by Discord's numbers."""

    ROW = 1
    BUTTON = 2
    STRING_SELECT = 3
    TEXT_INPUT = 4
    USER_SELECT = 5
    ROLE_SELECT = 6
    MENTIONABLE_SELECT = 7
    CHANNEL_SELECT = 8
    SECTION = 9
    TEXT = 10
    THUMBNAIL = 11
    GALLERY = 12
    FILE = 13
    SEPARATOR = 14
    CONTAINER = 17
    LABEL = 18


SELECTS = frozenset({3, 5, 6, 7, 8})
LINK_STYLE = 5
_TOP_LEVEL_V2 = frozenset({1, 9, 10, 12, 13, 14, 17})


def walk(components: Any) -> Iterator[Payload]:
    """Yield every component of a tree: rows, what they hold, accessories."""
    for component in components if isinstance(components, list | tuple) else ():
        if not isinstance(component, dict):
            continue
        yield component
        yield from walk(component.get("components"))
        for key in ("accessory", "component"):
            if isinstance(component.get(key), dict):
                yield from walk([component[key]])


def check_components(components: Any, *, layout: bool = False) -> list[Issue]:
    """Check a message's components; `layout` for one with the Components V2 flag."""
    longest = LAYOUT_COMPONENTS if layout else ROWS
    issues = check_list(components, ("components",), longest=longest)
    if issues or not components:
        return issues
    for index, component in enumerate(components):
        found = _check_layout_item(component) if layout else _check_row(component)
        issues += [issue.under("components", index) for issue in found]
    issues += _check_custom_ids(components)
    return issues or (_check_layout(components) if layout else [])


def check_modal(modal: Payload) -> list[Issue]:
    """Check a modal's title, id and its one to five inputs."""
    issues = check_text(modal.get("title"), ("title",), longest=45, shortest=1)
    issues += check_text(modal.get("custom_id"), ("custom_id",), longest=100, shortest=1)
    listed = check_list(modal.get("components"), ("components",), longest=5, shortest=1)
    if listed:
        return issues + listed
    for index, component in enumerate(modal["components"]):
        issues += [issue.under("components", index) for issue in _check_modal_item(component)]
    return issues + _check_custom_ids(modal["components"])


def _check_layout(components: list[Payload]) -> list[Issue]:
    issues = []
    everything = list(walk(components))
    if len(everything) > LAYOUT_COMPONENTS:
        text = f"The total number of components cannot exceed {LAYOUT_COMPONENTS}"
        issues.append(Issue(("components",), "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", text))
    if sum(len(str(item.get("content", ""))) for item in everything) > LAYOUT_TEXT_LENGTH:
        text = f"The total text length cannot exceed {LAYOUT_TEXT_LENGTH}"
        issues.append(Issue(("components",), "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", text))
    return issues


def _check_layout_item(component: Payload) -> list[Issue]:
    kind = _kind(component)
    if kind == ComponentType.ROW:
        return _check_row(component)
    if kind not in _TOP_LEVEL_V2:
        return [_wrong_type(_TOP_LEVEL_V2)]
    issues: list[Issue] = []
    if kind == ComponentType.CONTAINER:
        children = component.get("components")
        listed = check_list(children, ("components",), longest=LAYOUT_COMPONENTS)
        if listed:
            return listed
        for index, child in enumerate(children or []):
            issues += [issue.under("components", index) for issue in _check_layout_item(child)]
    accessory = component.get("accessory")
    if kind == ComponentType.SECTION and not isinstance(accessory, dict):
        issues.append(Issue(("accessory",), "BASE_TYPE_REQUIRED", "This field is required"))
    elif isinstance(accessory, dict) and _kind(accessory) == ComponentType.BUTTON:
        issues += [issue.under("accessory") for issue in _check_button(accessory)]
    if kind == ComponentType.TEXT:
        longest = LAYOUT_TEXT_LENGTH
        issues += check_text(component.get("content"), ("content",), longest=longest, shortest=1)
    return issues


def _check_row(row: Payload) -> list[Issue]:
    if _kind(row) != ComponentType.ROW:
        return [_wrong_type(frozenset({1}))]
    path = ("components",)
    issues = check_list(row.get("components"), path, longest=BUTTONS_PER_ROW, shortest=1)
    if issues:
        return issues
    children: list[Payload] = row["components"]
    has_select = any(_kind(child) in SELECTS for child in children)
    if has_select and len(children) > 1:
        text = "The specified component exceeds the maximum width"
        issues.append(Issue(path, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", text))
    for index, child in enumerate(children):
        issues += [issue.under("components", index) for issue in _check_interactive(child)]
    return issues


def _check_interactive(component: Payload) -> list[Issue]:
    kind = _kind(component)
    if kind == ComponentType.BUTTON:
        return _check_button(component)
    if kind in SELECTS:
        return _check_select(component)
    return [_wrong_type(frozenset({2, *SELECTS}))]


def _check_button(button: Payload) -> list[Issue]:
    issues = check_text(button.get("label"), ("label",), longest=80)
    if not button.get("label") and not button.get("emoji"):
        text = "A button must have a label or emoji"
        issues.append(Issue(("label",), "BUTTON_COMPONENT_LABEL_REQUIRED", text))
    style = as_integer(button.get("style"))
    if style not in (1, 2, 3, 4, 5):
        issues.append(_choices(("style",), "(1, 2, 3, 4, 5)"))
    if style != LINK_STYLE:
        longest = 100
        issues += check_text(button.get("custom_id"), ("custom_id",), longest=longest, shortest=1)
        return issues
    if button.get("custom_id"):
        text = "A custom id and url cannot both be specified"
        issues.append(
            Issue(("custom_id",), "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUAL_EXCLUSIVE", text)
        )
    url = button.get("url")
    return issues + check_text(url, ("url",), longest=512, shortest=1) + check_url(url, ("url",))


def _check_select(select: Payload) -> list[Issue]:
    issues = check_text(select.get("custom_id"), ("custom_id",), longest=100, shortest=1)
    issues += check_text(select.get("placeholder"), ("placeholder",), longest=150)
    least, most = select.get("min_values", 1), select.get("max_values", 1)
    for key, value, lowest in (("min_values", least, 0), ("max_values", most, 1)):
        if as_integer(value) is None or not lowest <= value <= SELECT_OPTIONS:
            text = f"int value should be between {lowest} and {SELECT_OPTIONS}."
            issues.append(Issue((key,), "NUMBER_TYPE_MAX", text))
    if issues or _kind(select) != ComponentType.STRING_SELECT:
        return issues
    if least > most:
        text = "min_values is greater than max_values"
        issues.append(Issue(("min_values",), "SELECT_COMPONENT_INVALID_MIN_MAX_VALUES", text))
    return issues + _check_select_options(select, most=most)


def _check_select_options(select: Payload, *, most: int) -> list[Issue]:
    path = ("options",)
    issues = check_list(select.get("options"), path, longest=SELECT_OPTIONS, shortest=1)
    if issues:
        return issues
    options: list[Payload] = select["options"]
    if most > len(options):
        text = "max_values is larger than the number of options"
        issues.append(Issue(("max_values",), "SELECT_COMPONENT_TOO_FEW_OPTIONS", text))
    for index, option in enumerate(options):
        for key in ("label", "value"):
            value = option.get(key)
            issues += check_text(value, ("options", index, key), longest=100, shortest=1)
        path_to_description = ("options", index, "description")
        issues += check_text(option.get("description"), path_to_description, longest=100)
    values = Counter(str(option.get("value")) for option in options)
    if not issues and any(count > 1 for count in values.values()):
        text = "The specified option value is already used"
        issues.append(Issue(path, "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", text))
    return issues


def _check_modal_item(item: Payload) -> list[Issue]:
    kind = _kind(item)
    if kind == ComponentType.ROW:
        listed = check_list(item.get("components"), ("components",), longest=1, shortest=1)
        if listed:
            return listed
        return [issue.under("components", 0) for issue in _check_input(item["components"][0])]
    if kind == ComponentType.TEXT:
        return check_text(item.get("content"), ("content",), longest=2000, shortest=1)
    if kind != ComponentType.LABEL:
        return [_wrong_type(frozenset({1, 10, 18}))]
    issues = check_text(item.get("label"), ("label",), longest=45, shortest=1)
    issues += check_text(item.get("description"), ("description",), longest=100)
    inner = item.get("component")
    if not isinstance(inner, dict):
        return [*issues, Issue(("component",), "BASE_TYPE_REQUIRED", "This field is required")]
    found = _check_select(inner) if _kind(inner) in SELECTS else _check_text_input(inner)
    return issues + [issue.under("component") for issue in found]


def _check_input(component: Payload) -> list[Issue]:
    label = check_text(component.get("label"), ("label",), longest=45, shortest=1)
    return label + _check_text_input(component)


def _check_text_input(component: Payload) -> list[Issue]:
    if _kind(component) != ComponentType.TEXT_INPUT:
        return [_wrong_type(frozenset({4}))]
    issues = check_text(component.get("custom_id"), ("custom_id",), longest=100, shortest=1)
    issues += check_text(component.get("placeholder"), ("placeholder",), longest=100)
    issues += check_text(component.get("value"), ("value",), longest=4000)
    if as_integer(component.get("style")) not in (1, 2):
        issues.append(_choices(("style",), "(1, 2)"))
    for key, lowest in (("min_length", 0), ("max_length", 1)):
        value = component.get(key)
        if value is not None and (as_integer(value) is None or not lowest <= value <= 4000):
            text = f"int value should be between {lowest} and 4000."
            issues.append(Issue((key,), "NUMBER_TYPE_MAX", text))
    return issues


def _check_custom_ids(components: list[Payload]) -> list[Issue]:
    text = "Component custom id cannot be duplicated"
    used: set[str] = set()
    issues = []
    for path, component in _walk_paths(components, ("components",)):
        name = component.get("custom_id")
        if name and str(name) in used:
            issues.append(Issue((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", text))
        used.add(str(name))
    return issues


def _walk_paths(
    components: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Payload]]:
    for index, component in enumerate(components if isinstance(components, list) else ()):
        if not isinstance(component, dict):
            continue
        here = (*path, index)
        yield here, component
        yield from _walk_paths(component.get("components"), (*here, "components"))
        for key in ("accessory", "component"):
            if isinstance(component.get(key), dict):
                yield (*here, key), component[key]


def _kind(component: Any) -> int | None:
    return as_integer(component.get("type")) if isinstance(component, dict) else None


def _wrong_type(allowed: frozenset[int]) -> Issue:
    return _choices(("type",), str(tuple(sorted(allowed))))


def _choices(path: tuple[str | int, ...], allowed: str) -> Issue:
    return Issue(path, "BASE_TYPE_CHOICES", f"Value must be one of {allowed}.")
