"""The steps of one program as the jail takes them: compile, where the language wants it, then run."""

from collections.abc import Iterable

from sandbox_runtime.jail import WarmStart
from sandbox_runtime.jail.spec import GuestFile, JailSpec, Limits, WaitingCommand
from sandbox_runtime.languages.entry import Compile, Language
from sandbox_runtime.languages.preparation import prepared_path

DEFAULT_PROFILE = "judge"


def compile_spec(language: Language, step: Compile, code: bytes) -> JailSpec:
    """The compile step of a source."""
    names = language.source_names(code)
    return JailSpec(
        argv=names.fill(step.argv),
        limits=step.limits,
        environment=language.guest_environment,
        files=(GuestFile(names.file, code), *names.beside),
        artifact=step.artifact,
        artifact_max_bytes=step.artifact_max_bytes,
        family=step.family,
        waiting=step.waiting,
    )


def warm_start(languages: Iterable[Language]) -> WarmStart | None:
    """The one command of these languages that a slot keeps started, if there is one."""
    for language in languages:
        if language.warm_imports and language.compile is None:
            return WarmStart(language.run_argv, language.guest_environment, language.warm_imports)
    return None


def prewarm_spec(languages: Iterable[Language]) -> JailSpec | None:
    """The run to get ready for in an idle slot: that language with the limits of most requests."""
    for language in languages:
        if language.warm_imports and language.compile is None:
            return run_spec(language, b"", None, limits=language.run_limits(DEFAULT_PROFILE), stdin=b"")
    return None


def run_spec(language: Language, code: bytes, artifact: bytes | None, *, limits: Limits, stdin: bytes) -> JailSpec:
    """The run step: of the compiled `artifact` alone, or of the source where the language is not compiled."""
    names = language.source_names(code)
    if language.compile is None:
        file = GuestFile(names.file, code)
    else:
        file = GuestFile(language.compile.artifact, artifact or b"", executable=True)
    return JailSpec(
        argv=names.fill(language.run_argv),
        limits=limits,
        environment=language.guest_environment,
        stdin=stdin,
        files=(file,),
        family=language.family,
        waiting=language.waiting,
    )


def waiting_specs(languages: Iterable[Language], toolchains_dir: str) -> tuple[JailSpec, ...]:
    """Steps with the limits of most requests for which a command may wait, where it could be prepared."""
    found = []
    for language in languages:
        steps = [] if language.compile is None else [compile_spec(language, language.compile, b"")]
        steps.append(run_spec(language, b"", None, limits=language.run_limits(DEFAULT_PROFILE), stdin=b""))
        found += [
            step for step in steps if step.waiting is not None and _is_there(step.waiting, language, toolchains_dir)
        ]
    return tuple(found)


def _is_there(command: WaitingCommand, language: Language, toolchains_dir: str) -> bool:
    """Whether the toolchain's preparation could make the command: it needs more than the language itself does."""
    if language.prepared is None:
        return False
    prefix = f"{language.prepared.guest_path}/"
    place = prepared_path(language, language.prepared, toolchains_dir)
    return command.argv[0].startswith(prefix) and (place / command.argv[0].removeprefix(prefix)).is_file()
