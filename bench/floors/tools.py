"""Times of compilers and script runtimes for the same programs outside the jail, by the same commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bench.answers import check_text
from bench.floors.bare_commands import WORK
from bench.floors.child import Child
from bench.machine import TOOLCHAINS
from bench.rounds import FLOOR, Way
from bench.sources import adding_program, new_number
from sandbox_runtime.languages import Language, binds, run_spec
from sandbox_runtime.languages.specs import DEFAULT_PROFILE

LANGUAGES = ("c", "cpp", "javascript", "typescript", "go", "rust")
_GUEST_PLACES, _GUEST_WORK = "/opt/", "/box/"


def floor_name(step: str) -> str:
    """By what the jail's series is called."""
    return f"{FLOOR}{step}, outside the jail"


@dataclass(frozen=True, slots=True)
class ToolWays:
    """`first`: a new source, by language. `again`: of the compiled programs alone, timed while `first` runs."""

    first: dict[str, list[Way]]
    again: list[Way]


@contextmanager
def tool_ways(offered: Mapping[str, Language]) -> Iterator[ToolWays]:
    """Give them for the languages of LANGUAGES that are offered."""
    languages = [offered[name] for name in LANGUAGES if name in offered]
    mounts = [(bind.source, bind.target) for bind in binds(languages, TOOLCHAINS)]
    with Child("bench.floors.bare_commands") as child:
        child.ask(binds=[pair for pair in mounts if pair[1].startswith(_GUEST_PLACES)])
        ways = ToolWays({}, [])
        for language in languages:
            _add(ways, child, language)
        yield ways


def _add(ways: ToolWays, child: Child, language: Language) -> None:
    if language.compile is None:
        ways.first[language.name] = [Way(floor_name(language.name), lambda: sum(_steps_ms(child, language)))]
        return
    again = Way(floor_name(f"{language.name}, again"), lambda: 0.0)

    def first() -> float:
        compile_ms, run_ms = _steps_ms(child, language)
        again.times_ms.append(run_ms)
        return compile_ms + run_ms

    ways.first[language.name] = [Way(floor_name(f"{language.name}, first compile"), first)]
    ways.again.append(again)


def _steps_ms(child: Child, language: Language) -> list[float]:
    """From the start to the end of each command. The source lies there before. Raises WrongAnswerError, OSError."""
    program = adding_program(language.name, new_number())
    names = language.source_names(program.code.encode())
    steps = [] if language.compile is None else [names.fill(language.compile.argv)]
    # The step of the jail, because its command and its variables have the size of the stack.
    run = run_spec(language, program.code.encode(), None, limits=language.run_limits(DEFAULT_PROFILE), stdin=b"")
    executable, *arguments = run.argv
    if executable.startswith(_GUEST_WORK):
        executable = f"{WORK}/{executable.removeprefix(_GUEST_WORK)}"
    answer = child.ask(
        files={names.file: program.code} | {file.name: file.content.decode() for file in names.beside},
        steps=[*steps, (executable, *arguments)],
        environment=dict(run.environment) | {"HOME": str(WORK)},
        stdin=program.stdin,
    )
    check_text(answer["stdout"].encode(), program.expected.stdout or "")
    steps_ms: list[float] = answer["steps_ms"]
    return steps_ms
