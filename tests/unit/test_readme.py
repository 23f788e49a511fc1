"""What a reader finds in the README before anything else. tests/system/test_pages.py executes its commands."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
_ONE_SCREEN = 45


def test_the_first_screen_has_the_picture_for_both_themes_and_the_start() -> None:
    first = "\n".join(TEXT.splitlines()[:_ONE_SCREEN])
    pictures = re.findall(r'(?:srcset|src)="(docs/images/[^"]+)"', first)
    assert [Path(picture).stem for picture in pictures] == ["console-dark", "console-light"]
    assert "git clone <repository>" in first
    assert "```sh\nmake up\n```" in first


def test_the_table_of_peers_has_a_measured_number_with_its_condition_and_command() -> None:
    section = TEXT.split("## Beside its peers")[1].split("\n## ")[0]
    (head,) = re.findall(r"^\| \| (.*) \|$", section, re.MULTILINE)
    assert head.split(" | ") == [
        "this service",
        "[orkait/rustbox](https://github.com/orkait/rustbox)",
        "Judge0 CE",
        "Piston",
        "E2B",
    ]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert {row.count(" | ") for row in rows} == {rows[0].count(" | ")}
    assert re.search(r"\d ms", rows[-1])
    assert re.search(r"^The condition: two cores", section, re.MULTILINE)
    assert re.search(r"`make bench ARGS=[^`]+` prints our number", section)


def test_the_first_screen_says_whose_api_it_is() -> None:
    first = TEXT.split("<picture>")[0]
    assert "# Rustbox Serverless" in first
    assert "The API is that of [orkait/rustbox]" in first
    assert "independent implementation" in first


def test_the_licence_is_named_and_there() -> None:
    assert TEXT.rstrip().endswith("Licence: [MIT](LICENSE).")
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
