"""The lists of what we ship: CycloneDX files of the zip and of the image."""

import json
import re
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from infra.deploy.bom import add_licences, add_packages, debian_components
from infra.deploy.building import BUILD_DIR, ROOT, Package
from tests.commands import run_to_end

BOMS = ("functions", "runner", "runner-data")
STATUS = """Package: libc6
Status: install ok installed
Architecture: arm64
Version: 2.41-12+deb13u1

Package: gone
Status: deinstall ok config-files
Architecture: arm64
Version: 1:2.0

Package: g++
Status: install ok installed
Architecture: arm64
Version: 4:14.2.0-1
"""


@pytest.fixture(scope="module")
def bom(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run the command without an engine; the image's packages come from a file."""
    status = tmp_path_factory.mktemp("bom") / "status"
    status.write_text(STATUS)
    done = run_to_end(
        ["/usr/bin/bash", "infra/setup/audit.sh", "sbom"],
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "PACKAGES": str(status)},
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return {name: json.loads((BUILD_DIR / f"{name}.cdx.json").read_text()) for name in BOMS}


def _locked(*files: str) -> dict[str, str]:
    text = "".join((ROOT / file).read_text() for file in files)
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def test_the_list_of_the_zip_has_every_locked_package_with_its_hashes(bom: dict[str, dict[str, Any]]) -> None:
    found = bom["functions"]
    assert found["bomFormat"] == "CycloneDX"
    assert {item["name"]: item["version"] for item in found["components"]} == _locked("requirements.txt")
    assert all(item["purl"].startswith("pkg:pypi/") for item in found["components"])
    assert all(reference["hashes"] for item in found["components"] for reference in item["externalReferences"])


def test_the_zip_has_no_package_that_the_list_lacks(
    bom: dict[str, dict[str, Any]], packages: dict[str, Package]
) -> None:
    names = {item["name"].replace("-", "_").lower() for item in bom["functions"]["components"]}
    # Packages whose folder has another name than their distribution.
    names |= {"dateutil", "re2", "typing_extensions", "nacl", "_cffi_backend", "functions", "events", "licenses"}
    for architecture, package in packages.items():
        with zipfile.ZipFile(package.path) as archive:
            top = {Path(name).parts[0].partition(".")[0].lower() for name in archive.namelist()}
        assert top <= names, architecture


def test_the_list_of_the_image_has_its_python_and_debian_packages(bom: dict[str, dict[str, Any]]) -> None:
    found = {item["name"]: item for item in bom["runner"]["components"]}
    locked = _locked("sandbox_runtime/requirements.txt", "sandbox_runtime/toolchains.txt")
    assert found.keys() == {*locked, "libc6", "g++"}
    assert found["g++"]["purl"] == "pkg:deb/debian/g%2B%2B@4%3A14.2.0-1?arch=arm64&distro=debian-13"


def test_the_list_of_the_image_with_data_packages_has_those_too(bom: dict[str, dict[str, Any]]) -> None:
    locked = _locked(*(f"sandbox_runtime/{name}.txt" for name in ("requirements", "toolchains", "data_packages")))
    found = {item["name"]: item for item in bom["runner-data"]["components"]}
    assert found.keys() == {*locked, "libc6", "g++"}
    assert all(reference["hashes"] for name in locked for reference in found[name]["externalReferences"])


@pytest.mark.parametrize("name", BOMS)
def test_every_package_has_a_licence(bom: dict[str, dict[str, Any]], name: str) -> None:
    wheels = [item for item in bom[name]["components"] if item["purl"].startswith("pkg:pypi/")]
    assert [item["name"] for item in wheels if not item["licenses"]] == []


def test_the_list_keeps_to_the_schema(bom: dict[str, dict[str, Any]]) -> None:
    check = (
        "import sys; from cyclonedx.validation.json import JsonStrictValidator as V; from cyclonedx.schema import *;"
        "print(V(SchemaVersion.V1_6).validate_str(sys.stdin.read()))"
    )
    done = run_to_end([BUILD_DIR / "audit" / "bin" / "python", "-c", check], input=json.dumps(bom["runner-data"]))
    assert (done.stdout, done.stderr) == ("None\n", "")


@pytest.mark.parametrize(
    ("package", "licence", "libraries"),
    [
        ("numpy", "BSD-3-Clause AND 0BSD AND MIT AND Zlib", {"OpenBLAS", "GCC runtime library libgfortran"}),
        ("scipy", "BSD License", {"OpenBLAS", "libgfortran", "libquadmath"}),
        ("scikit-learn", "BSD-3-Clause", {"libgomp"}),
        ("pillow", "MIT-CMU", {"FreeType", "libjpeg / libjpeg-turbo"}),
        ("lxml", "BSD-3-Clause", {"libxml2", "libxslt"}),
    ],
)
def test_libraries_in_wheels_are_listed_below_them(
    bom: dict[str, dict[str, Any]], package: str, licence: str, libraries: set[str]
) -> None:
    found = next(item for item in bom["runner-data"]["components"] if item["name"] == package)
    assert licence in json.dumps(found["licenses"])
    assert libraries <= {item["name"] for item in found["components"]}


def test_a_package_that_is_not_installed_ends_the_listing(tmp_path: Path) -> None:
    listed = '{"components": [{"name": "numpy", "version": "2.0"}]}'
    with pytest.raises(LookupError, match=r"numpy 2\.0 is not installed in "):
        add_licences(listed, [str(tmp_path)])


def test_packages_that_are_not_installed_are_left_out_and_none_is_listed_twice() -> None:
    assert [item["name"] for item in debian_components(STATUS)] == ["g++", "libc6"]
    once = add_packages(STATUS, '{"components": []}')
    assert add_packages(STATUS, once) == once


def _scan(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "status").write_text(STATUS)
    return run_to_end(
        ["/usr/bin/bash", "infra/setup/audit.sh", "image-scan"],
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "PACKAGES": str(folder / "status"), "DEBSECAN_SOURCE": source},
        timeout=280,
    )


@pytest.mark.parametrize(("fixed_in", "code"), [("2.41-12+deb13u1", 0), ("2.41-12+deb13u2", 1)])
def test_a_package_with_a_fixed_vulnerability_fails_the_scan(tmp_path: Path, fixed_in: str, code: int) -> None:
    """Debian's list is a file here, in its format: names, packages with fixed versions, binaries of sources."""
    listed = f"VERSION 1\nCVE-2026-1,,made up\n\nlibc6,0,BHRF,{fixed_in},\n\nlibc6,libc6\n"
    (tmp_path / "trixie").write_bytes(zlib.compress(listed.encode()))
    done = _scan(tmp_path, tmp_path.as_uri())
    assert done.returncode == code, done.stderr
    assert ("libc6" in done.stdout) == (code == 1)


def test_a_scan_without_debians_list_is_no_pass(tmp_path: Path) -> None:
    done = _scan(tmp_path, "file:///none")
    assert done.returncode != 0
    assert "no package has a vulnerability" not in done.stderr
