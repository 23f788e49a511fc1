"""The files that a program leaves: which of them a request asks for, and how they are read from its working directory.

`patterns` matches paths, `collection` walks over the working directory of a dead run, `media_types` names types.
Everything here was written by a hostile program. Names, number, sizes, depth and time are bounded.
"""

from sandbox_runtime.artifacts.collection import Artifact, Collected, Skipped, collect, content_of
from sandbox_runtime.artifacts.patterns import ANY_FILE, Patterns

__all__ = ["ANY_FILE", "Artifact", "Collected", "Patterns", "Skipped", "collect", "content_of"]
