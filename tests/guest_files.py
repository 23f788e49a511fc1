"""The programs in tests/guests/: data, most of which runs in the jail."""

from pathlib import Path

GUESTS = Path(__file__).parent / "guests"


def guest(path: str) -> str:
    return (GUESTS / path).read_text()


def guests(folder: str) -> dict[str, str]:
    """Return all programs of a folder, by language or by name."""
    return {path.stem: path.read_text() for path in sorted((GUESTS / folder).iterdir())}
