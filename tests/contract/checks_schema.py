"""The command line's copies of the rules of checks.yaml. `python -m tests.contract.checks_schema` writes them.

It validates offline, by the schema and the schedules of the service itself.
"""

from pathlib import Path

from functions.checks.settings.requests import schema_text

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = ROOT / "rustbox_cli" / "checks.schema.json"
_SCHEDULE = ROOT / "functions" / "checks" / "schedule.py"
_SCHEDULE_COPY = ROOT / "rustbox_cli" / "schedule.py"
_REPLACED = {
    "from functions.clock import MS_PER_SEC\n\n": "",
    "  # noqa: UP017 - the command line has a copy of this module, and runs on Python 3.10 too": "",
    "MINUTE_MS = 60_000\n": "MS_PER_SEC = 1_000\nMINUTE_MS = 60_000\n",
}


def copies() -> dict[Path, str]:
    """Return what the command line has copies of, by file."""
    schedule = _SCHEDULE.read_text(encoding="utf-8")
    for there, here in _REPLACED.items():
        schedule = schedule.replace(there, here)
    return {SCHEMA_FILE: schema_text(), _SCHEDULE_COPY: schedule}


if __name__ == "__main__":
    for path, text in copies().items():
        path.write_text(text, encoding="utf-8")
