import xml.etree.ElementTree as ET

import pytest

from functions.checks.public_views import MAX_LABEL_CHARS, badge_body, shields, svg
from functions.checks.state import State

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("state", State)
def test_a_picture_shows_name_and_state(state: State) -> None:
    root = ET.fromstring(svg("Nightly", state))  # noqa: S314 - our own text
    assert [text.text for text in root.iter(f"{SVG}text")] == ["Nightly", state.value]
    assert root.attrib["aria-label"] == f"Nightly: {state.value}"


@pytest.mark.parametrize(
    "name", ["</text><script>alert(1)</script>\"'&", "\x00\x08\ud7ff\ufffe", "   ", "名前" * 60, "a" * 500, "%s{x}"]
)
def test_a_hostile_name_stays_text(name: str) -> None:
    root = ET.fromstring(svg(name, State.UP))  # noqa: S314 - our own text
    shown = next(root.iter(f"{SVG}text")).text or ""
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {"svg", "title", "rect", "g", "text"}
    assert 0 < len(shown) <= MAX_LABEL_CHARS
    assert not {"onload", "href"} & {attribute for element in root.iter() for attribute in element.attrib}


def test_the_picture_is_as_wide_as_both_texts_with_their_padding() -> None:
    root = ET.fromstring(svg("wide MMMM and narrow iiii", State.FAILING))  # noqa: S314 - our own text
    lengths = [float(text.attrib["textLength"]) for text in root.iter(f"{SVG}text")]
    assert int(root.attrib["width"]) == sum(lengths) + 4 * 6
    assert not [element for element in root.iter() if "id" in element.attrib]  # they would collide in one page


def test_shields_gets_its_schema() -> None:
    assert shields("Nightly", State.FAILING) == {
        "schemaVersion": 1,
        "label": "Nightly",
        "message": "failing",
        "color": "red",
        "isError": True,
        "cacheSeconds": 60,
    }


def test_the_json_badge_has_the_colour_of_the_picture() -> None:
    body = badge_body("Nightly", State.UP)
    assert (body["name"], body["state"]) == ("Nightly", "up")
    assert body["color"] in svg("Nightly", State.UP)


@pytest.mark.parametrize("state", State)
def test_white_text_on_every_colour_is_readable(state: State) -> None:
    colour = badge_body("x", state)["color"]
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5  # WCAG AA
