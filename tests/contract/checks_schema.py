"""The command line's copy of the schema of checks.yaml. `python -m tests.contract.checks_schema` writes it."""

from pathlib import Path

from functions.checks.settings.file_schema import schema_text

SCHEMA_FILE = Path(__file__).parents[2] / "rustbox_cli" / "checks.schema.json"

if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
