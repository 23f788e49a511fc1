"""Look up a compiled program before the compile step, and decide after it whether to cache the program."""

import time
from dataclasses import dataclass

from sandbox_runtime.executor.compile_cache import CompileCache
from sandbox_runtime.executor.compile_key import CompileKey
from sandbox_runtime.jail.evidence.in_force import is_strict
from sandbox_runtime.jail.spec import JailSpec, Outcome


@dataclass(frozen=True, slots=True)
class CompileSearch:
    """The result of a look-up. `artifact`: the cached program, or None. `found_usec`: the time of a successful one."""

    artifact: bytes | None = None
    found_usec: int | None = None
    cache: CompileCache | None = None
    key: CompileKey | None = None

    def keep(self, compiled: Outcome) -> None:
        """Cache the program of a compile step with verdict AC, if strict isolation and the clean-up are proven."""
        evidence = compiled.evidence
        is_measured = not evidence.collection_errors and evidence.cgroup is not None
        is_whole = is_strict(evidence.controls_missing) and is_measured
        is_clean = evidence.cleanup_verified and evidence.leftover_processes == 0
        if self.cache is None or self.key is None or compiled.artifact is None or not (is_whole and is_clean):
            return
        self.cache.keep(self.key, compiled.artifact)


def search(cache: CompileCache | None, project_id: str, language: str, step: JailSpec) -> CompileSearch:
    """Look up the program that this project compiled by the same step."""
    if cache is None:
        return CompileSearch()
    begun_ns = time.monotonic_ns()
    key = cache.key(project_id, language, step)
    artifact = None if key is None else cache.find(key)
    elapsed_usec = (time.monotonic_ns() - begun_ns) // 1000
    return CompileSearch(artifact, None if artifact is None else elapsed_usec, cache, key)
