"""`make release`: one version for wheel, zips and image; the same sources give the same bytes."""

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import functions
import rustbox_cli
import sandbox_runtime
from infra import release
from infra.deploy.building import ROOT, Package, own_architecture
from infra.release import build_wheel
from tests.commands import run_to_end

VERSION = functions.VERSION


def test_all_parts_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["version"], sandbox_runtime.RUNNER_VERSION, rustbox_cli.VERSION} == {VERSION}
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_the_same_bytes_with_every_umask(wheel: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = build_wheel(tmp_path)
    finally:
        os.umask(before)
    assert again.name == wheel.name == f"rustbox_cli-{VERSION}-py3-none-any.whl"
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_the_whole_command_line_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = email.message_from_bytes(archive.read(f"rustbox_cli-{VERSION}.dist-info/METADATA"))
    code = {name for name in names if not name.startswith(f"rustbox_cli-{VERSION}.dist-info/")}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "rustbox_cli").rglob("*.py")}
    assert code == {*modules, "rustbox_cli/project.schema.json", "rustbox_cli/sio2_checker.cpp"}
    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == ("rustbox-cli", VERSION, ">=3.10")
    needed = ["click>=8.1", "httpx>=0.27", "jsonschema>=4.17", "pyyaml>=6", "rich>=14", "tzdata"]
    assert metadata.get_all("Requires-Dist") == needed


def test_the_installed_wheel_has_the_command_and_its_version(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    dependencies = Path(next(path for path in sys.path if path.endswith("site-packages")))
    done = run_to_end([environment / "bin" / "rustbox", "--version"], env={"PYTHONPATH": str(dependencies)})
    assert (done.returncode, done.stdout) == (0, f"rustbox, version {VERSION}\n"), done.stderr


def test_the_command_line_is_written_for_the_oldest_python_that_the_wheel_names() -> None:
    done = run_to_end(
        [sys.executable, "-m", "mypy", "--python-version", "3.10", "--cache-dir", os.devnull, "rustbox_cli"]
    )
    assert done.returncode == 0, done.stdout
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["per-file-target-version"]
    assert configured == {"rustbox_cli/**": "py310"}


@pytest.fixture
def _release_of_this_session(packages: dict[str, Package], monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the zips that the session has built, and leave the golden messages of the tree alone."""
    monkeypatch.setattr(release, "build", packages.__getitem__)
    monkeypatch.setattr(release, "store", lambda: False)


@pytest.mark.usefixtures("_release_of_this_session")
def test_a_release_has_everything_with_checksums(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "release"
    assert release.main(["--out", str(out), "--without-image"]) == 0
    built = [f"rustbox-functions-{VERSION}-{cpu}.zip" for cpu in ("arm64", "x86_64")]
    assert sorted(path.name for path in out.iterdir()) == [
        "SHA256SUMS",
        "deployer_policy.json",
        f"rustbox-{VERSION}.template.json",
        *built,
        f"rustbox_cli-{VERSION}-py3-none-any.whl",
    ]
    subprocess.run(["/usr/bin/sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, check=True)
    assert f"version {VERSION}" in capsys.readouterr().out
    (out / built[0]).write_bytes(b"another")
    assert subprocess.run(["/usr/bin/sha256sum", "--check", "SHA256SUMS"], cwd=out, check=False).returncode == 1


@pytest.mark.usefixtures("_release_of_this_session")
def test_the_image_is_built_with_the_version_and_saved_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n[ "$1" != save ] || echo image > "$3"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    out = tmp_path / "release"
    assert release.main(["--out", str(out), "--base-image", "debian@sha256:abc"]) == 0
    image = f"rustbox-runner-{VERSION}-{own_architecture()}.tar"
    assert f"  {image}\n" in (out / "SHA256SUMS").read_text()
    build, save = (tmp_path / "calls").read_text().splitlines()
    assert f"--label org.opencontainers.image.version={VERSION} " in build
    assert build.endswith(f" BASE_IMAGE=debian@sha256:abc --file {ROOT}/sandbox_runtime/Dockerfile {ROOT}")
    assert save == f"save --output {out / image} rustbox-runner:{VERSION}"


def test_a_release_without_docker_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert release.main(["--out", str(tmp_path / "release")]) == 1
    assert "needs Docker: install it, or leave the image out with --without-image" in capsys.readouterr().err
    assert not (tmp_path / "release" / "SHA256SUMS").exists()


def test_the_golden_messages_and_schemas_of_a_minor_version_are_stored_once(tmp_path: Path) -> None:
    (tmp_path / "language.schema.json").write_text('{"enum": []}')
    for kind in release.KINDS:
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "v1.typical.json").write_text(f'"{kind}"')
        (tmp_path / kind / "v1.schema.json").write_text('{\n  "type": "object"\n}\n')
    assert release.store(tmp_path)
    assert not release.store(tmp_path)
    folder = tmp_path / "released" / VERSION.rpartition(".")[0]
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")} == {
        "language.schema.json",
        *(f"{kind}/v1.{name}.json" for kind in release.KINDS for name in ("typical", "schema")),
    }
    assert (folder / release.KINDS[0] / "v1.schema.json").read_text() == '{"type":"object"}\n'
    (tmp_path / release.KINDS[0] / "v1.typical.json").write_text("2")
    (folder / release.KINDS[1] / "v1.gone.json").write_text("3")
    assert release.store(tmp_path)
    assert (folder / release.KINDS[0] / "v1.typical.json").read_text() == "2"
    assert not (folder / release.KINDS[1] / "v1.gone.json").exists()
