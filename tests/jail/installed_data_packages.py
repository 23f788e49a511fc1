"""Toolchains with data packages: `install.sh --jail` installs them into a folder of the tests."""

import os
from pathlib import Path

from tests.jail.slots import TOOLCHAINS

INSTALLED = os.environ.get("RUSTBOX_TEST_DATA_PACKAGES", str(Path(__file__).parents[2] / ".sdk" / "data"))


def toolchains_with_packages(folder: Path) -> str:
    """Fill a folder with links to the toolchains of the tests and to the packages. Returns its path."""
    assert Path(INSTALLED, "numpy").is_dir(), "run: bash infra/setup/install.sh --jail"
    for entry in Path(TOOLCHAINS).iterdir():
        if entry.name != "data":
            (folder / entry.name).symlink_to(entry)
    (folder / "data").symlink_to(INSTALLED)
    return str(folder)
