"""The languages that a runner can offer."""

from sandbox_runtime.languages.entry import Compile, Language, LimitRefusedError, Profile, Tool
from sandbox_runtime.languages.registry import LANGUAGES, binds, for_file, offered, version

__all__ = [
    "LANGUAGES",
    "Compile",
    "Language",
    "LimitRefusedError",
    "Profile",
    "Tool",
    "binds",
    "for_file",
    "offered",
    "version",
]
