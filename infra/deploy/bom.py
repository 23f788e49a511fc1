"""Adds to a BOM in CycloneDX what the tools that wrote it cannot see.

`python -m infra.deploy.bom debian BOM STATUS`: the packages of a dpkg status file.
`python -m infra.deploy.bom wheels BOM FOLDER...`: licences and bundled libraries of the wheels of the BOM. They must be
installed in the folders: their metadata names both.
"""

import json
import re
import sys
from collections.abc import Iterator
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

# `python -m infra.deploy.bom STATUS BOM`: add the packages of a dpkg status file to a BOM.

DISTRIBUTION = "debian-13"


def debian_components(status: str) -> list[dict[str, Any]]:
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


def add_packages(status: str, bom: str) -> str:
    """Return the CycloneDX text with the packages. Adding them again changes nothing."""
    document: dict[str, Any] = json.loads(bom)
    added = debian_components(status)
    known = {component["bom-ref"] for component in added}
    others = [item for item in document.get("components", []) if item["bom-ref"] not in known]
    return json.dumps({**document, "components": others + added}, indent=2, sort_keys=True) + "\n"


# x

# In the licence texts of numpy and scipy, then of lxml.
_NAMED_LIBRARIES = (
    re.compile(r"^Name: (.+)\nFiles: \w+\.libs/.*\n(?:\w+: .*\n)*?License: (.+)$", re.MULTILINE),
    re.compile(r"^\*\*(\w+)\*\*: ([\w. -]+)", re.MULTILINE),
)
_COPIED_FIELDS = ("type", "name", "version", "purl", "scope", "licenses")


def add_licences(bom: str, folders: list[str]) -> str:
    """Return the CycloneDX text with licences and nested components. Raises LookupError for a missing wheel."""
    document: dict[str, Any] = json.loads(bom)
    installed = {
        (canonicalize_name(found.name), found.version): found
        for folder in folders
        for found in distributions(path=[folder])
    }
    for component in document["components"]:
        wheel = installed.get((canonicalize_name(component["name"]), component["version"]))
        if wheel is None:
            raise LookupError(f"{component['name']} {component['version']} is not installed in {', '.join(folders)}")
        component["licenses"] = licences(wheel)
        if bundled := list(bundled_libraries(wheel)):
            component["components"] = bundled
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def licences(wheel: Distribution) -> list[dict[str, Any]]:
    """Return what the metadata declares: an SPDX expression, else the classifiers' names."""
    for declared in (wheel.metadata.get("License-Expression"), wheel.metadata.get("License")):
        if declared and "expression" in (found := _licence(declared)):
            return [found]
    classifiers = wheel.metadata.get_all("Classifier") or []
    return [_licence(one.rpartition(" :: ")[2]) for one in classifiers if one.startswith("License :: ")]


def bundled_libraries(wheel: Distribution) -> Iterator[dict[str, Any]]:
    """Yield a component for each library that the wheel's own BOMs and licence texts name."""
    for file in wheel.files or ():
        if not file.parts[0].endswith(".dist-info"):
            continue
        if "sboms" in file.parts:
            for component in json.loads(file.read_text())["components"]:
                # The wheel itself and its modules have a purl of PyPI; tools of its build are excluded.
                if not component.get("purl", "").startswith("pkg:pypi/") and component.get("scope") != "excluded":
                    yield {field: component[field] for field in _COPIED_FIELDS if field in component}
        elif file.name.startswith(("LICENSE", "LICENCE")):
            for name, licence in (found for pattern in _NAMED_LIBRARIES for found in pattern.findall(file.read_text())):
                yield {"type": "library", "name": name, "licenses": [_licence(licence)]}


def _licence(text: str) -> dict[str, Any]:
    try:
        return {"expression": str(canonicalize_license_expression(text))}
    except InvalidLicenseExpression:
        return {"license": {"name": text}}


def main(arguments: list[str]) -> int:
    """Change the BOM in place."""
    kind, bom, *sources = arguments
    text = Path(bom).read_text(encoding="utf-8")
    if kind == "debian":
        text = add_packages(Path(sources[0]).read_text(encoding="utf-8"), text)
    else:
        text = add_licences(text, sources)
    Path(bom).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
