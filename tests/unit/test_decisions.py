"""Each decision of docs/adr has a number of its own."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "adr"


def test_the_numbers_of_decisions_follow_each_other_and_stand_in_their_headings() -> None:
    pages = sorted(FOLDER.glob("[0-9]*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    headings = [re.match(r"# (\d+)\. ", page.read_text(encoding="utf-8")) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    assert [heading and int(heading[1]) for heading in headings] == numbers
