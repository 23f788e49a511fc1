"""The embedded engine is AWS: it knows nothing of the application that uses it."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "infra" / "embedded"
NAMES = re.compile(r"rustbox|runner|submission|webhook|sandbox", re.IGNORECASE)
FILE_OF_EXISTING_STATES = 'FILE_NAME: Final = "rustbox.sqlite"'


def test_no_module_of_the_engine_names_a_part_of_the_application() -> None:
    modules = sorted(FOLDER.rglob("*.py"))
    assert len(modules) > 20
    lines = [f"{path.name}: {line}" for path in modules for line in path.read_text().splitlines() if NAMES.search(line)]
    assert lines == [f"store.py: {FILE_OF_EXISTING_STATES}"]
