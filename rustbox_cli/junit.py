"""JUnit XML of check runs, as continuous integration systems read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check with its finished run, as the API shows it."""

    slug: str
    run: dict[str, Any]
    runbook_url: str | None = None

    @property
    def has_passed(self) -> bool:
        """Whether the run passed, at once or when it was repeated."""
        return self.run["status"] in {"passed", "flaky"}

    @property
    def problems(self) -> list[str]:
        """The failed assertions, the reason and the runbook, a line each."""
        if self.has_passed:
            return []
        failed = [each for each in self.run["assertions"] if not each["passed"]]
        lines = [f"{each['assertion']}: expected {each['expected']}, got {each['actual']}" for each in failed]
        runbook = f"runbook: {self.runbook_url}" if self.runbook_url else ""
        return [*lines, *filter(None, (self.run["reason"], runbook))]


def junit_xml(runs: list[CheckRun]) -> bytes:
    """Return one test suite with one case a check. A run that did not finish by itself is an error, no failure."""
    failures = [each for each in runs if each.run["status"] == "failed"]
    errors = [each for each in runs if not each.has_passed and each.run["status"] != "failed"]
    counts = {"tests": str(len(runs)), "failures": str(len(failures)), "errors": str(len(errors))}
    suite = ET.Element("testsuite", {"name": "rustbox checks", **counts})
    for each in runs:
        secs = f"{each.run['wall_time_secs'] or 0:.3f}"
        case = ET.SubElement(suite, "testcase", {"classname": "checks", "name": _xml(each.slug), "time": secs})
        if not each.has_passed:
            kind = "failure" if each in failures else "error"
            lines = [_xml(line) for line in each.problems] or [each.run["status"]]
            ET.SubElement(case, kind, {"message": lines[0]}).text = "\n".join(lines)
    suites = ET.Element("testsuites", counts)
    suites.append(suite)
    ET.indent(suites)
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _xml(text: str) -> str:
    """Replace characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
