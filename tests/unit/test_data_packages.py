"""The folder of data packages: its versions, and the language with and without it."""

import re
from pathlib import Path

from sandbox_runtime.languages import LANGUAGES, binds, package_versions, with_packages
from sandbox_runtime.languages.python import GUEST_PATH, PACKAGES

BY_NAME = {language.name: language for language in LANGUAGES}
LOCK = Path(__file__).parents[2] / "sandbox_runtime" / "data_packages.txt"


def test_without_the_folder_nothing_changes(tmp_path: Path) -> None:
    assert with_packages(BY_NAME["python"], str(tmp_path)) is BY_NAME["python"]
    assert package_versions(str(tmp_path)) == {}


def test_with_the_folder_python_alone_has_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    python = with_packages(BY_NAME["python"], str(tmp_path))
    assert dict(python.guest_environment)["PYTHONPATH"] == GUEST_PATH
    assert [(mount.source, mount.target) for mount in binds((python,), str(tmp_path))] == [
        (f"{tmp_path}/data", GUEST_PATH)
    ]
    assert all(with_packages(BY_NAME[name], str(tmp_path)) is BY_NAME[name] for name in BY_NAME if name != "python")


def test_the_versions_are_those_of_offered_packages_and_not_of_their_dependencies(tmp_path: Path) -> None:
    for name, version in (("numpy", "2.5.5"), ("PyYAML", "6.0.4"), ("certifi", "1.0")):
        folder = tmp_path / "data" / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    assert package_versions(str(tmp_path)) == {"numpy": "2.5.5", "pyyaml": "6.0.4"}


def test_the_lock_has_each_offered_package_with_hashes() -> None:
    text = LOCK.read_text()
    locked = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    assert locked >= PACKAGES
    assert len(PACKAGES) == 16
    assert text.count("==") <= text.count("--hash=sha256:")
