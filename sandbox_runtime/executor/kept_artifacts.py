"""Keep the files that a program left: find those that its request asks for, and put them into the bucket."""

import hashlib
from collections.abc import Callable, Mapping

from events.completed import SkippedArtifact, StoredArtifact
from events.files import CHANGED
from sandbox_runtime.artifacts import ANY_FILE, collect, content_of
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec, Outcome

type StoreArtifact = Callable[[int, bytes], str]
"""Put the artifact with a number into the bucket, and return its key. It may raise; then the run has no result."""


def refuse_to_store(number: int, content: bytes) -> str:
    """Stand for a store where no request asks for artifacts."""
    raise AssertionError(f"nobody stores artifact {number} of {len(content)} bytes")


def keep_artifacts(
    patterns: tuple[str, ...] | str, spec: JailSpec, outcome: Outcome, store: StoreArtifact
) -> tuple[tuple[StoredArtifact, ...], tuple[SkippedArtifact, ...]]:
    """Store the artifacts of a run. Files of the request count only if the run changed them. Raises JailError.

    The files must be read before the slot's next call.
    """
    chosen = ANY_FILE if patterns == CHANGED else tuple(patterns)
    found = collect(outcome.box, chosen, _input_hashes(spec))
    skipped = tuple(SkippedArtifact(file.path, file.reason) for file in found.skipped)
    if found.box is None:
        return (), skipped
    stored = list[StoredArtifact]()
    for number, file in enumerate(found.artifacts):
        try:
            content = content_of(found.box, file)
        except OSError as error:
            raise JailError("read artifact", errno=error.errno or 0) from error
        stored.append(StoredArtifact(file.path, file.size, file.sha256, file.media_type, store(number, content)))
    return tuple(stored), skipped


def _input_hashes(spec: JailSpec) -> Mapping[str, str | None]:
    """Return the SHA-256 of each file of the request, by path; None for a read-only one.

    A read-only file that is shown without a copy leaves an empty file in its place when its mount is gone.
    """
    own = {file.name: hashlib.sha256(file.content).hexdigest() for file in spec.files}
    for file in spec.inputs:
        digest = file.sha256 if file.content is None else hashlib.sha256(file.content).hexdigest()
        own[file.path] = "" if file.read_only else digest
    return {path: digest or None for path, digest in own.items()}
