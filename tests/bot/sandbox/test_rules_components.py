import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.rules_components import check_components, check_modal

keys = st.sampled_from(
    [
        "type",
        "components",
        "custom_id",
        "label",
        "style",
        "options",
        "url",
        "component",
        "accessory",
    ]
)
wild = st.recursive(
    st.none() | st.integers(0, 20) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)


def button(number=0, **changes):
    return {"type": 2, "style": 1, "label": "ok", "custom_id": f"b{number}", **changes}


def row(*children):
    return {"type": 1, "components": list(children)}


def select(**changes):
    options = [{"label": "a", "value": "a"}]
    return {"type": 3, "custom_id": "s", "options": options, **changes}


def text_input(**changes):
    return {"type": 4, "style": 1, "label": "Name", "custom_id": "i", **changes}


@given(wild, st.booleans())
def test_whatever_a_bot_sends_is_judged_without_an_exception(components, layout):
    check_components(components, layout=layout)
    check_components([components], layout=layout)
    check_modal({"title": "x", "custom_id": "y", "components": components})
    check_modal({"components": [components]})


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_rows_pass_up_to_five_with_up_to_five_buttons(sizes):
    names = iter(range(100))
    rows = [row(*(button(next(names)) for _ in range(size))) for size in sizes]

    assert (not check_components(rows)) == (len(sizes) <= 5 and max(sizes) <= 5)


@given(st.text(min_size=1, max_size=90))
def test_labels_pass_up_to_80_characters(label):
    assert (not check_components([row(button(label=label))])) == (len(label) <= 80)


@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 30))
def test_menus_pass_within_their_bounds(count, least, most):
    options = [{"label": str(n), "value": str(n)} for n in range(count)]
    menu = select(options=options, min_values=least, max_values=most)

    fits = count <= 25 and most >= 1 and least <= most <= count

    assert (not check_components([row(menu)])) == fits


@pytest.mark.parametrize(
    "component",
    [
        button(custom_id="x" * 101),
        button(custom_id=None),
        button(label=None),
        button(style=9),
        button(style=5),
        button(style=5, url="https://example.org"),
        button(style=5, url="example", custom_id=None),
        select(placeholder="x" * 151),
        select(options=[]),
        select(options=[{"label": "x" * 101, "value": "a"}]),
        select(options=[{"label": "a", "value": "a"}] * 2),
        select(options=[{"label": "a", "value": "a", "description": "x" * 101}]),
        text_input(),
    ],
)
def test_each_broken_component_is_refused(component):
    assert check_components([row(component)])


def test_a_link_button_and_a_menu_pass():
    link = button(style=5, url="https://example.org", custom_id=None)

    assert check_components([row(link, button()), row(select())]) == []


def test_a_menu_stands_alone_in_its_row():
    assert check_components([row(select(), button())])


def test_a_custom_id_is_refused_where_it_comes_again():
    issues = check_components([row(button(1)), row(button(2), button(1))])

    assert [issue.path for issue in issues] == [("components", 1, "components", 1, "custom_id")]


def test_a_layout_passes_up_to_40_components_and_4000_characters():
    def container(count, length):
        texts = [{"type": 10, "content": "x" * length}] * count
        return [{"type": 17, "components": texts}]

    assert check_components(container(39, 1), layout=True) == []
    assert check_components(container(40, 1), layout=True)
    assert check_components(container(4, 1000), layout=True) == []
    assert check_components(container(4, 1001), layout=True)
    assert check_components([{"type": 9, "components": []}], layout=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "x" * 46},
        {"title": ""},
        {"custom_id": "x" * 101},
        {"components": []},
        {"components": [row(text_input(custom_id=str(n))) for n in range(6)]},
        {"components": [row(text_input(label="x" * 46))]},
        {"components": [row(text_input(placeholder="x" * 101))]},
        {"components": [row(text_input(max_length=4001))]},
        {"components": [row(text_input(style=3))]},
        {"components": [row(text_input()), row(text_input())]},
        {"components": [row(button())]},
        {"components": [button()]},
        {"components": [{"type": 18, "label": "x" * 46, "component": text_input()}]},
        {"components": [{"type": 18, "label": "x"}]},
    ],
)
def test_each_broken_modal_is_refused(changes):
    good = {"title": "Form", "custom_id": "form", "components": [row(text_input())]}

    assert check_modal(good) == []
    assert check_modal(good | changes)
