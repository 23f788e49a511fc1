"""Packages of this environment for a program of Python, as one file."""

import importlib
import io
import zipfile
from pathlib import Path


def zipped(*names: str) -> bytes:
    """Return an archive to import these packages from, without native modules."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            folder = Path(str(importlib.import_module(name).__file__)).parent
            for path in folder.rglob("*"):
                if path.suffix in {".py", ".pem"}:
                    archive.write(path, path.relative_to(folder.parent))
    return made.getvalue()
