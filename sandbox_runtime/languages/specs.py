"""Build the `JailSpec` of the compile step and of the run step of a program, and make their output fit for clients."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from events.compile_args import is_compile_arg
from sandbox_runtime.jail import WarmStart
from sandbox_runtime.jail.spec import GuestFile, InputFile, JailSpec, Limits, WaitingCommand
from sandbox_runtime.languages.entry import KIB, Compile, Language, RequestRefusedError
from sandbox_runtime.languages.preparation import prepared_path

# The files that a request places beside its source.


def refuse_unfit(language: Language, code: bytes, inputs: Iterable[InputFile], options: Iterable[str]) -> None:
    """Refuse options that are not offered, and paths whose names we use ourselves. Raises RequestRefusedError."""
    for option in options:
        if not is_compile_arg(language.name, option):
            raise RequestRefusedError(f"the option {option} is not offered for {language.name}")
    own = language.own_names(code)
    for file in inputs:
        name = file.path.partition("/")[0]
        if name in own:
            raise RequestRefusedError(f"the file {file.path} has a name that the service uses itself: {name}")


def other_sources(step: Compile, inputs: Sequence[InputFile]) -> tuple[str, ...]:
    """Return the paths of the files that are compiled with the source, in order."""
    found = sorted(file.path for file in inputs if step.is_source(file.path))
    # An option or a list of arguments starts with these.
    return tuple(f"./{path}" if path.startswith(("-", "@")) else path for path in found)


DEFAULT_PROFILE = "judge"


def compile_spec(
    language: Language,
    step: Compile,
    code: bytes,
    files: tuple[GuestFile, ...] = (),
    inputs: tuple[InputFile, ...] = (),
    options: tuple[str, ...] = (),
) -> JailSpec:
    """Build the compile step of a source, with `files` and `inputs` beside it, and more options of the compiler.

    Stored inputs are read-only here: the step ends with its result, so nobody needs a copy.
    """
    names = language.source_names(code)
    sources = other_sources(step, inputs)
    argv = step.argv
    if step.with_options is not None and (sources or options):
        argv, names = step.with_options(sources, options), replace(names, beside=())
    return JailSpec(
        argv=names.fill(argv),
        limits=step.limits,
        environment=language.guest_environment,
        files=(GuestFile(names.file, code), *names.beside, *files),
        inputs=tuple(file if file.content is not None else replace(file, read_only=True) for file in inputs),
        artifact=step.artifact,
        artifact_max_bytes=step.artifact_max_bytes,
        family=step.family,
        waiting=None if inputs or options else step.waiting,
    )


def warm_language(languages: Iterable[Language]) -> Language | None:
    """Return the first language whose interpreter can be kept warm, or None."""
    found = (language for language in languages if language.warm_imports and language.compile is None)
    return next(found, None)


def warm_start(languages: Iterable[Language]) -> WarmStart | None:
    """Return the command that a slot's template keeps warm: that of the `warm_language`, or None."""
    language = warm_language(languages)
    if language is None:
        return None
    return WarmStart(language.run_argv, language.guest_environment, language.warm_imports)


def prewarm_spec(languages: Iterable[Language]) -> JailSpec | None:
    """Return the run to pre-warm in a slot without requests so far: the `warm_language` with the default limits."""
    language = warm_language(languages)
    if language is None:
        return None
    return run_spec(language, b"", None, limits=language.run_limits(DEFAULT_PROFILE), stdin=b"")


def run_spec(
    language: Language,
    code: bytes,
    artifact: bytes | None,
    *,
    limits: Limits,
    stdin: bytes,
    variables: Mapping[str, str] = MappingProxyType({}),
    args: tuple[str, ...] = (),
    files: tuple[GuestFile, ...] = (),
    inputs: tuple[InputFile, ...] = (),
) -> JailSpec:
    """Build the run step: of the compiled `artifact`, or of the source if the language is not compiled.

    `variables` come beside those of the language, and never replace one; `args` are arguments of the program, and
    `files` lie beside it. A run with arguments starts the ordinary way: what waits in advance has none.
    """
    names, own, waiting = language.source_names(code), dict(language.guest_environment), language.waiting
    if language.compile is None:
        file = GuestFile(names.file, code)
    else:
        file = GuestFile(language.compile.artifact, artifact or b"", executable=True)
    return JailSpec(
        argv=(*names.fill(_with_stack(language.run_argv, limits)), *args),
        limits=limits,
        environment=tuple(zip(own, _with_stack(own.values(), limits), strict=True)),
        variables=tuple(item for item in variables.items() if item[0] not in own),
        stdin=stdin,
        files=(file, *files),
        inputs=inputs,
        family=language.family,
        waiting=None if args or inputs or waiting is None else replace(waiting, argv=_with_stack(waiting.argv, limits)),
    )


def _with_stack(words: Iterable[str], limits: Limits) -> tuple[str, ...]:
    """Replace `{stack_kib}` and `{stack_bytes}` by the size of the stack."""
    kib, size_bytes = str(limits.stack_bytes // KIB), str(limits.stack_bytes)
    return tuple(word.replace("{stack_kib}", kib).replace("{stack_bytes}", size_bytes) for word in words)


def waiting_specs(languages: Iterable[Language], toolchains_dir: str) -> tuple[JailSpec, ...]:
    """Return the steps, with default limits, whose waiting commands are prepared on this host."""
    found = []
    for language in languages:
        steps = [] if language.compile is None else [compile_spec(language, language.compile, b"")]
        steps.append(run_spec(language, b"", None, limits=language.run_limits(DEFAULT_PROFILE), stdin=b""))
        found += [
            step for step in steps if step.waiting is not None and _is_there(step.waiting, language, toolchains_dir)
        ]
    return tuple(found)


def _is_there(command: WaitingCommand, language: Language, toolchains_dir: str) -> bool:
    """Whether the waiting command was built. It needs a C compiler, but the language does not."""
    if language.prepared is None:
        return False
    prefix = f"{language.prepared.guest_path}/"
    place = prepared_path(language.name, language.prepared, toolchains_dir)
    return command.argv[0].startswith(prefix) and (place / command.argv[0].removeprefix(prefix)).is_file()


# Remove directories of the jail from compiler output for the client.
#
# A guest chooses the text and the worker reads it. So the expressions must not backtrack.

# A path where compilers name a file: not after a letter, as in a quotation, and not in an echoed line of the source.
_DIRECTORIES = re.compile(rb"(?<![\w./-])/(?:box|tmp|opt|usr|lib|lib64)/(?:[\w.+~=-]++/)*+")
# Python echoes lines of the source with blanks before them, and begins the line of a warning with the path. Other
# interpreters begin the line with their own.
_SCRIPT_PLACE = re.compile(rb'^(  File "|)/(?:box|usr/bin)/', re.MULTILINE)
_ECHOED_LINE = re.compile(rb"\s*+\d*+\s*+\|")


def without_paths(text: bytes) -> bytes:
    """Reduce each path of the jail to its file name. Lines that echo the source stay unchanged."""
    lines = text.splitlines(keepends=True)
    return b"".join(line if _ECHOED_LINE.match(line) else _DIRECTORIES.sub(b"", line) for line in lines)


def without_script_paths(text: bytes) -> bytes:
    """Reduce the paths of the source and the interpreter to their names, in what it says about a refused source."""
    return _SCRIPT_PLACE.sub(rb"\1", text)
