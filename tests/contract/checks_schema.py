"""The command line's copy of the schema of checks.yaml. `python -m tests.contract.checks_schema` writes it.

It validates offline, by this schema and by the module of schedules of the service itself.
"""

from pathlib import Path

from functions.checks.settings.requests import schema_text

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = ROOT / "rustbox_cli" / "checks.schema.json"

if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
