"""The steps of one program as the jail takes them: compile, where the language wants it, then run."""

from sandbox_runtime.jail.spec import GuestFile, JailSpec, Limits
from sandbox_runtime.languages.entry import Compile, Language


def compile_spec(language: Language, step: Compile, code: bytes) -> JailSpec:
    """The compile step of a source."""
    names = language.source_names(code)
    return JailSpec(
        argv=names.fill(step.argv),
        limits=step.limits,
        environment=language.guest_environment,
        files=(GuestFile(names.file, code),),
        artifact=step.artifact,
        artifact_max_bytes=step.artifact_max_bytes,
        family=step.family,
    )


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
    )
