"""The files that a request places beside its source."""

from collections.abc import Iterable, Sequence

from events.compile_args import is_compile_arg
from sandbox_runtime.jail.spec import InputFile
from sandbox_runtime.languages.entry import Compile, Language
from sandbox_runtime.languages.requested.limits import RequestRefusedError


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
