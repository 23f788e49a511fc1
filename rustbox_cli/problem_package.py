"""Problem packages of Kattis and ICPC contests: how outputs are compared, the limits, and files for the program.

https://www.kattis.com/problem-package-format/ describes them. `legacy` packages name their validation in
`problem.yaml`; those of 2023-07 and later have the folder `output_validator` instead.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.program_input import JAVA_MAIN, TOGETHER, LocalFile, language_of, languages

# Settings of problem packages: their YAML files, numbers, words and names.

_ID_CHARS, _HASH_CHARS = 64, 8
_STATEMENTS = {"problem.html", "problem.pdf", "problem.txt", "problem_statement", "statement"}


def refused(message: str) -> CommandError:
    """Return the error for a folder that cannot be judged."""
    return CommandError(message, ExitCode.REFUSED)


def number(text: object, what: str) -> float:
    """Return a number of a package. Raises CommandError."""
    try:
        found = math.nan if isinstance(text, list | dict) else float(str(text))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise refused(f"{what} needs a number.")
    return found


def words_of(value: object) -> list[str]:
    """Return the words of a text or a list. Raises CommandError for lists inside of it."""
    return [scalar_text(word) for word in value] if isinstance(value, list) else scalar_text(value or "").split()


def scalar_text(value: object) -> str:
    """Return a value as text. Lists that name one another, a few lines of YAML, would be terabytes as text."""
    if isinstance(value, list | dict):
        raise refused("A setting of the package is a list or a map where a text or a number belongs.")
    return str(value)


def refuse_links_out(folder: Path, root: Path | None = None) -> None:
    """Raise CommandError if a link of a package leads to a file elsewhere: its author could read your files by it.

    `root`: links to what lies in this folder are followed too, but not to hidden files in it. Statements are never
    read, and those of DOMjudge are such links.
    """
    own = folder.resolve()
    for path in folder.rglob("*"):
        if not path.is_symlink() or path.relative_to(folder).parts[0] in _STATEMENTS:
            continue
        target = path.resolve()
        if not target.is_relative_to(own) and not (root is not None and _is_shown(target, root.resolve())):
            text = (
                f"{path} is a link to a file outside of {root or folder}, or to a hidden one. Replace it by the file."
            )
            raise refused(f"{text} `judge`, `problems push` and `problems verify` also take --root.")


def _is_shown(target: Path, root: Path) -> bool:
    return target.is_relative_to(root) and not any(part[0] == "." for part in target.relative_to(root).parts)


def root_of_links(folder: Path) -> Path | None:
    """Return the repository that has a package: its packages link to files of their neighbours. None: there is none."""
    places, home = folder.resolve().parents, Path.home().resolve()
    return next((place for place in places if (place / ".git").exists() and place != home), None)


def id_of(name: str) -> str:
    """Return a name as an id of the service. A long one gets its end and a hash, so that two stay different."""
    if len(name) <= _ID_CHARS:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:_HASH_CHARS]
    return f"{digest}~{name[_HASH_CHARS + 1 - _ID_CHARS :]}"


def read_yaml(path: Path) -> dict[str, Any]:
    """Read settings; none without the file. Raises CommandError."""
    if not path.is_file():
        return {}
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - other commands start faster without it

    try:
        content = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, RecursionError, ValueError):
        raise refused(f"{path} is not valid YAML.") from None
    return content if isinstance(content, dict) else {}


_TOLERANCES = {
    "float_tolerance": ("float_abs", "float_rel"),
    "float_absolute_tolerance": ("float_abs",),
    "float_relative_tolerance": ("float_rel",),
}
_TIME_LIMIT = re.compile(r"""^\s*timelimit\s*=\s*['"]?(.*?)['"]?\s*$""", re.MULTILINE)
_LIMITS = {"memory": ("memory_mb", 1), "output": ("output_kb", 1024)}
"""Of `problem.yaml`, in MiB: the name of a request, and its units in one of the package."""
_CPU_SECS, _WALL_SECS, _MOST_WALL_SECS = 15, 25, 120
"""The ceilings of CPU and wall time, and the highest wall time that an operator may allow."""
_FOLDER_LANGUAGES = {"python3": "python", "javascript_v8": "javascript"}
"""Names of `include/<language>` that are others here."""
_GROUP_FILES = ("test_group.yaml", "testdata.yaml")
_SCRIPTS = {"build", "run"}
_INTERPRETED = {"bash", "javascript", "lua", "python"}
_DEFAULT_PASSES = 2
_FLAGS = {"case_sensitive", "space_change_sensitive"}
_INSTEAD = "Give --checker to compare with a built-in one."


@dataclass(frozen=True)
class Package:
    """`words`: arguments of the validator. `program`: the package's own validator; None: it uses the default one.

    `has_score_files`: of a legacy package whose validator gives the score of each case that it accepts. `limits`: as a
    request has them. `includes`: files for programs, by their language. `mains`: by their language, those that are main
    programs which call the submission: the service runs the submission itself, unless both are compiled together.
    """

    words: Sequence[str] = ()
    program: dict[str, Any] | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    includes: Mapping[str, Sequence[LocalFile]] = field(default_factory=dict)
    mains: Mapping[str, Path] = field(default_factory=dict)
    is_scoring: bool = False
    is_legacy: bool = True
    has_score_files: bool = False

    def checker(self, place: Path, data: Path) -> dict[str, Any]:
        """Return the checker of a case or of a folder below `data`, with the arguments of the nearest group."""
        words = [*self.words, *_validator_words(place, data)]
        return _default_checker(words, place) if self.program is None else {**self.program, "args": words}


def read_package(folder: Path, *, reads_checker: bool = True, root: Path | None = None) -> Package | None:
    """Read a package. None: the folder is none. Raises CommandError for one that cannot be judged.

    `reads_checker`: read its validator too. `root`: see `refuse_links_out`; default: the repository.
    """
    path = folder / "problem.yaml"
    if not path.is_file():
        return None
    refuse_links_out(folder, root or root_of_links(folder))
    _refuse_unknown_parts(folder)
    problem = read_yaml(path)
    validation = words_of(problem.get("validation"))
    is_scoring = bool({"score", "scoring"} & {*validation, *words_of(problem.get("type"))})
    is_legacy = " ".join(words_of(problem.get("problem_format_version", "legacy"))).startswith("legacy")
    has_scores = is_legacy and "score" in validation
    files = _includes(folder)
    mains = _mains(files)
    package = Package((), None, _limits(folder, problem), files, mains, is_scoring, is_legacy, has_scores)
    if not reads_checker:
        return package
    words, program = words_of(problem.get("validator_flags")), _own_validator(folder, problem)
    return replace(package, words=words, program=program)


def _limits(folder: Path, problem: dict[str, Any]) -> dict[str, float]:
    """Return the limits of `problem.yaml`, `.timelimit` or `domjudge-problem.ini`, by their names in a request."""
    given = problem.get("limits")
    given = given if isinstance(given, dict) else {}
    limits: dict[str, float] = {}
    if (secs := given.get("time_limit")) is None and (path := folder / "domjudge-problem.ini").is_file():
        found = _TIME_LIMIT.search(read_utf8(path))
        secs = None if found is None else found[1]
    if secs is None and (path := folder / ".timelimit").is_file():
        secs = read_utf8(path)
    if secs is not None:
        limits |= cpu_limits(number(secs, f"The time limit of {folder}"))
    for name, (limit, factor) in _LIMITS.items():
        if given.get(name) is not None:
            limits[limit] = math.ceil(number(given[name], f"{folder / 'problem.yaml'}: {name}") * factor)
    return limits


def cpu_limits(secs: float) -> dict[str, float]:
    """Return the limits for a time limit. The wall time is twice as long and 1 s, as in DOMjudge and Kattis."""
    most = _WALL_SECS if secs <= _CPU_SECS else _MOST_WALL_SECS
    return {"cpu_time_secs": secs, "wall_time_secs": min(2 * secs + 1, most)}


def _includes(folder: Path) -> dict[str, list[LocalFile]]:
    """Return the files of `include/<language>`; `include/default` is for languages without a folder of their own."""
    found: dict[str, list[LocalFile]] = {}
    for place in sorted((folder / "include").glob("*/")):
        paths = sorted(path for path in place.rglob("*") if path.is_file() and not path.name.startswith("."))
        files = [LocalFile(path, path.relative_to(place).as_posix()) for path in paths]
        found[_FOLDER_LANGUAGES.get(place.name, place.name)] = files
    default = found.pop("default", None)
    others = {} if default is None else dict.fromkeys(languages() - found.keys(), default)
    return {language: files for language, files in (found | others).items() if language in languages()}


def _mains(includes: Mapping[str, Sequence[LocalFile]]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for language in includes.keys() - TOGETHER:
        for file in includes[language]:
            is_java_main = language == "java" and JAVA_MAIN.search(file.source.read_text(errors="replace"))
            if language_of(file.path) == language and (file.source.stem.lower() == "main" or is_java_main):
                found[language] = file.source
    return found


def _refuse_unknown_parts(folder: Path) -> None:
    """Raise CommandError for parts of a package without which its verdicts would be wrong."""
    if (folder / "static_validator").is_dir():
        raise refused(f"{folder} has a static validator, which the service does not have.")
    if files := next((folder / "data").glob("s*/**/*.files"), None):
        raise refused(f"{files}: cases of a package cannot have files here. Send them as cases[].files of the API.")


def case_args(path: Path, data: Path) -> list[str]:
    """Return the arguments of the program in the settings of a case below `data`, or of the nearest group."""
    groups = [group for group in path.parents if group.is_relative_to(data)]
    for place in (path.with_suffix(".yaml"), *(group / "test_group.yaml" for group in groups)):
        args = read_yaml(place).get("args")
        if args is not None:
            return words_of(args)
    return []


def read_utf8(path: Path) -> str:
    """Read a text. Raises CommandError."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise refused(f"{path} is not UTF-8 text.") from None


def _own_validator(folder: Path, problem: dict[str, Any]) -> dict[str, Any] | None:
    """Return the package's validator as a checker program or an interactor; None: it uses the default one."""
    kinds = {*words_of(problem.get("validation")), *words_of(problem.get("type"))}
    if "custom" in kinds and not (folder / "output_validator").is_dir():
        programs = sorted(path for path in (folder / "output_validators").glob("*") if path.name[0] != ".")
        if len(programs) != 1:
            raise refused(f"{folder} has {len(programs)} output validators; one can judge. {_INSTEAD}")
        (program,) = programs
    elif (folder / "output_validator").is_dir():
        program = folder / "output_validator"
    else:
        return None
    checker = {"kind": "interactor" if "interactive" in kinds else "program", **_program(program)}
    if "multi-pass" in kinds:
        limits = problem.get("limits")
        passes = limits.get("validation_passes") if isinstance(limits, dict) else None
        checker["passes"] = _DEFAULT_PASSES if passes is None else int(number(passes, "validation_passes"))
    return checker


def _program(path: Path) -> dict[str, Any]:
    """Return a validator of one source, and of files beside it; `main` of several sources that are not compiled."""
    parts = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
    sources = [part for part in parts if language_of(part.name)]
    if len(sources) > 1:
        mains = [part for part in sources if part.stem == "main" and language_of(part.name) in _INTERPRETED]
        sources = mains or sources
    if len(sources) != 1 or _SCRIPTS & {part.name for part in parts}:
        raise refused(f"The validator {path} must have one source file, and no build script. {_INSTEAD}")
    (source,) = sources
    files = {part.name: read_utf8(part) for part in parts if part != source}
    program = {"language": language_of(source.name), "protocol": "kattis", "code": read_utf8(source)}
    return program | ({"files": files} if files else {})


def _default_checker(words: Sequence[str], place: Path) -> dict[str, Any]:
    """Return the checker for the arguments of the default one, which ignores case unless they say otherwise.

    Raises CommandError for arguments that no built-in checker has.
    """
    checker: dict[str, Any] = {"kind": "tokens", "case_sensitive": "case_sensitive" in words}
    left = list(words)
    while left:
        name = left.pop(0)
        if name in _TOLERANCES:
            value = number(left.pop(0) if left else None, f"{place}: {name}")
            checker |= dict.fromkeys(_TOLERANCES[name], value)
        elif name not in _FLAGS:
            raise refused(f"{place}: the default validator has no argument {name!r}. {_INSTEAD}")
    if "space_change_sensitive" not in words:
        return checker
    if checker != {"kind": "tokens", "case_sensitive": True}:
        raise refused(f"{place}: space_change_sensitive needs case_sensitive here, and no tolerance. {_INSTEAD}")
    return {"kind": "exact"}


def _validator_words(place: Path, data: Path) -> list[str]:
    """Return the arguments in the settings of a case, or of the nearest group that has some."""
    groups = [group for group in (place, *place.parents) if group.is_relative_to(data)]
    for path in (place.with_suffix(".yaml"), *(group / name for group in groups for name in _GROUP_FILES)):
        settings = read_yaml(path)
        words = settings.get("output_validator_args", settings.get("output_validator_flags"))
        if words is not None:  # a legacy package may name the validator too
            return words_of(words.get("flags") if isinstance(words, dict) else words)
    return []
