"""`python -m infra.deploy.building.debian_bom STATUS BOM`: add the packages of a dpkg status file to a BOM."""

from __future__ import annotations

import json
import sys
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

DISTRIBUTION = "debian-13"


def components(status: str) -> list[dict[str, Any]]:
    """Return one CycloneDX component for each installed package, sorted by name."""
    found = []
    for paragraph in status.split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        if fields["Package"] is None or not str(fields["Status"]).endswith(" installed"):
            continue
        name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={architecture}&distro={DISTRIBUTION}"
        found.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    return sorted(found, key=lambda component: component["bom-ref"])


def add(status: str, bom: str) -> str:
    """Return the CycloneDX text with the packages. Adding them again changes nothing."""
    document: dict[str, Any] = json.loads(bom)
    added = components(status)
    known = {component["bom-ref"] for component in added}
    others = [item for item in document.get("components", []) if item["bom-ref"] not in known]
    return json.dumps({**document, "components": others + added}, indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Change the file in place."""
    status, bom = map(Path, arguments)
    bom.write_text(add(status.read_text(encoding="utf-8"), bom.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
