"""Languages by file name."""

from __future__ import annotations

from pathlib import PurePath

_SUFFIXES = {
    ".py": "python",
    ".c": "c",
    ".cpp": "cpp",
    ".cc": "cpp",
    ".cxx": "cpp",
    ".java": "java",
    ".js": "javascript",
    ".mjs": "javascript",
    ".ts": "typescript",
    ".go": "go",
    ".rs": "rust",
    ".sh": "bash",
}


def language_of(file_name: str) -> str | None:
    """Return the language of a program; None if its suffix is unknown."""
    return _SUFFIXES.get(PurePath(file_name).suffix.lower())
