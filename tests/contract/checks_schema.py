"""The command line's copies of the rules of checks.yaml. `python -m tests.contract.checks_schema` writes them.

It validates offline, by the schema and the schedules of the service itself.
"""

from pathlib import Path

from functions.checks.settings.file_schema import schema_text

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = ROOT / "rustbox_cli" / "checks.schema.json"
SCHEDULES = ROOT / "rustbox_cli" / "schedules"
_COPIED = ("cron.py", "expression.py")
_REPLACED = {
    "functions.checks.schedule": "rustbox_cli.schedules",
    "from functions.clock import MS_PER_SEC\n": "",
    "  # noqa: UP017 - the command line has a copy of this module, and runs on Python 3.10 too": "",
    "MINUTE_MS = 60_000\n": "MS_PER_SEC = 1_000\nMINUTE_MS = 60_000\n",
}


def copies() -> dict[Path, str]:
    """Return what the command line has copies of, by file."""
    texts = {SCHEMA_FILE: schema_text()}
    for name in _COPIED:
        text = (ROOT / "functions" / "checks" / "schedule" / name).read_text(encoding="utf-8")
        for there, here in _REPLACED.items():
            text = text.replace(there, here)
        texts[SCHEDULES / name] = text
    return texts


if __name__ == "__main__":
    for path, text in copies().items():
        path.write_text(text, encoding="utf-8")
