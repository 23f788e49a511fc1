"""docs/event-types.md says what the catalogue says."""

from pathlib import Path

from tests.event_types_page import page

PAGE = Path(__file__).parents[2] / "docs" / "event-types.md"


def test_the_page_is_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.event_types_page > docs/event-types.md"
