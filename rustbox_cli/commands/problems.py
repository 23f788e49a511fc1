"""Command `judge`, and commands `problems` about those that the service keeps."""

import re
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click

from rustbox_cli.api import Api, Session
from rustbox_cli.archives import is_zip
from rustbox_cli.class_grades import ClassGrades, students
from rustbox_cli.errors import EXIT_CODES_HINT, CommandError, ExitCode
from rustbox_cli.judge_runs import case_message, case_name, finish, judge_exit_code
from rustbox_cli.options import (
    Pair,
    all_of,
    confirm,
    jobs_option,
    no_answers_option,
    page_options,
    root_option,
    service_command,
    yes_option,
)
from rustbox_cli.output import counted, plain, progress, show, show_json, show_list, show_table, show_warnings, tell
from rustbox_cli.problem_cases import MAX_STORED_CASES, CaseFolder, push, read_case_folder
from rustbox_cli.problem_groups import MOST_POINTS
from rustbox_cli.program_input import (
    LIMITS,
    CasesFolder,
    LocalFile,
    Program,
    entries,
    files_of_folder,
    limit_value,
    main_file,
    program_fields,
    program_options,
)

# Command `judge`.


_OF_CASES = ("checker", "float_abs", "float_rel", "stop", "without_groups", "no_answers")
"""Options that --problem excludes."""
_MIB = 1024 * 1024
_limit_option = click.option(
    "--limit", "limits", multiple=True, type=Pair(), metavar="NAME=VALUE", help=f"Any of {', '.join(LIMITS)}."
)
_without_groups_option = click.option(
    "--without-groups",
    is_flag=True,
    help="Ignore the groups and scores of a package: each case is worth one point.",
)


@click.command(epilog=EXIT_CODES_HINT)
@click.argument("file", metavar="[FILE|FOLDER]", type=Program(), required=False)
@click.option(
    "--class",
    "class_folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="In place of FILE: a folder with the file, folder or zip file of each student.",
)
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), help="With --class: the grades.")
@click.option(
    "--feedback", type=click.Path(file_okay=False, path_type=Path), help="With --class: a text for each student, here."
)
@click.option(
    "--harness",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --class: this file runs, and that of a student is student.py, Student.java or student.cpp beside it.",
)
@jobs_option
@click.option(
    "--cases",
    type=CasesFolder(),
    help="Folder with 1.in and 1.ans (or 1.out), with in/1.in and out/1.out, or a package of Kattis or ICPC. "
    "A zip file is the folder that it contains.",
)
@click.option("--problem", metavar="ID[@VERSION]", help="A problem that the service keeps, in place of --cases.")
@all_of(*program_options)
@click.option(
    "--checker", type=click.Choice(["lines", "exact", "tokens"]), help="Default: that of a package, or lines."
)
@click.option("--float-abs", type=float, help="Largest absolute error of a number; for tokens.")
@click.option("--float-rel", type=float, help="Largest relative error of a number; for tokens.")
@click.option("--stop", is_flag=True, help="Skip the cases after the first failure.")
@_without_groups_option
@no_answers_option
@root_option
@_limit_option
@click.option("--profile", type=click.Choice(["judge", "agent"]), help="Default: judge.")
@service_command
def judge(session: Session, /, as_json: bool, **options: Any) -> None:
    """Judge a program on all cases of a folder, or of a problem that the service keeps.

    Prints a line a case; the exit code is that of the first failed case.

    With --class, a line a student. The next call judges only what changed, by the digests in the CSV file. It ends
    with 0 if every program was judged, right or wrong.

    \b
    Examples:
      rustbox judge solution.cpp --cases tests/
      rustbox judge solution.py --cases tests/ --checker tokens --float-abs 1e-6
      rustbox judge main.c --cases ~/problems/hello --stop --limit cpu_time_secs=1
      rustbox judge main.c --problem hello
      rustbox judge project/ --main main.cpp --compile-arg=-O2 --cases hello.kpp
      rustbox judge --class handed-in/ --problem hello --csv grades.csv --feedback feedback/
    """
    if (options["file"] is None) == (options["class_folder"] is None):
        raise click.UsageError("Give a program, or --class.")
    given = options["csv_path"], options["feedback"]
    if (options["class_folder"] is None and given != (None, None)) or (options["class_folder"] and given[0] is None):
        raise click.UsageError("--class needs --csv. --csv and --feedback are for --class.")
    if options["harness"] is not None and options["class_folder"] is None:
        raise click.UsageError("--harness is for --class. Give the harness as FILE, and the other file with --file.")
    judging, folder = _judging(options)
    with session.api() as api:
        if options["class_folder"] is not None:
            _judge_class(api, options, judging, folder, as_json=as_json)
            return
        body = judging | _program(api, options, folder, options["file"])
        with progress("judging: {} of {} cases") as tell:
            found = finish(api, body, tell)
    has_score_files = folder is not None and folder.has_score_files
    if folder is None:
        has_score_files = any(case["max_points"] == MOST_POINTS for case in found["results"])
    show_json(found) if as_json else _show_cases(found, has_score_files=has_score_files)
    if has_score_files:
        _check_scores(found)
    click.get_current_context().exit(judge_exit_code(found))


def _judge_class(
    api: Api, options: dict[str, Any], judging: dict[str, Any], folder: CaseFolder | None, *, as_json: bool
) -> None:
    """Judge the programs of a class. Ends with 65 if one could not be judged, with 121 if the service failed."""
    programs = students(options["class_folder"])
    if not programs:
        raise CommandError(f"There is no program in {options['class_folder']}.", ExitCode.REFUSED)
    if folder is None:  # all students have the same version, and the next call knows whether it is still that
        name = judging["problem"].partition("@")[0]
        judging["problem"] = f"{name}@{api.call('GET', ('problems', judging['problem'])).body['version']}"
    grades = ClassGrades(options["csv_path"], options["feedback"], judging)
    with progress("judging: {} of {} students") as tell:
        rows = grades.judge(api, programs, partial(_program, api, options, folder), options["jobs"], tell)
    if as_json:
        show_json([asdict(row) for row in rows])
    else:
        columns = ("STUDENT", "RESULT", "SCORE", "PASSED", "FIRST FAILED", "MESSAGE")
        table = [(row.student, row.result, row.score, row.passed, row.first_failed, row.message) for row in rows]
        show_table(columns, table, "There are no students.")
        counts = Counter(row.result for row in rows)
        click.echo(
            f"{counted(len(rows), 'student')}, {grades.unchanged} unchanged; {counts['passed']} passed every case"
        )
    results = {row.result for row in rows}
    failed = ExitCode.PLATFORM_FAILURE if "judge_error" in results else ExitCode.REFUSED
    click.get_current_context().exit(int(ExitCode.OK if all(row.is_final for row in rows) else failed))


def _judging(options: dict[str, Any]) -> tuple[dict[str, Any], CaseFolder | None]:
    """Return what a request has beside the program, and the folder of --cases."""
    if (options["cases"] is None) == (options["problem"] is None):
        raise click.UsageError("Give --cases or --problem.")
    limits = {name: limit_value(name, text) for name, text in options["limits"]}
    body: dict[str, Any] = {"profile": options["profile"]}
    folder = None
    if options["problem"] is not None:
        foreign = [name for name in _OF_CASES if options[name] is not None and options[name] is not False]
        if foreign:
            raise click.UsageError(f"--{foreign[0].replace('_', '-')} belongs to the problem: leave it out.")
        body["problem"] = options["problem"]
    else:
        folder = read_case_folder(
            options["cases"],
            reads_checker=options["checker"] is None,
            reads_groups=not options["without_groups"],
            needs_answers=not options["no_answers"],
            root=options["root"],
        )
        show_warnings({"warnings": folder.warnings(limits)})
        limits = folder.limits_with(limits)
        given = {name: options[name] for name in ("float_abs", "float_rel") if options[name] is not None}
        checker = {"kind": options["checker"]} if options["checker"] else folder.checker
        body |= {
            "cases": folder.cases,
            "checker": {**(checker or {"kind": "tokens"}), **given} if given else checker,
            "groups": folder.groups or None,
            "stop": "first_failure" if options["stop"] else None,
        }
    body["limits"] = limits or None
    return {name: value for name, value in body.items() if value is not None}, folder


def _program(api: Api, options: dict[str, Any], folder: CaseFolder | None, program: BinaryIO | Path) -> dict[str, Any]:
    fields = _beside_harness(api, options, program) if options["harness"] else program_fields(api, program, options)
    files = [*fields.get("files", ()), *(folder.files(api, fields["language"]) if folder else ())]
    return fields | ({"files": files} if files else {})


def _beside_harness(api: Api, options: dict[str, Any], program: BinaryIO | Path) -> dict[str, Any]:
    """Return the fields of a request for a harness and the program of a student beside it. Raises CommandError."""
    harness: Path = options["harness"]
    place = Path(program if isinstance(program, Path) else program.name)
    main = main_file(place, options["main"]) if place.is_dir() else place
    if main.suffix != harness.suffix:
        raise CommandError(f"{main.name} is no {harness.suffix} file, as the harness is.", ExitCode.REFUSED)
    name = f"{'Student' if main.suffix == '.java' else 'student'}{main.suffix}"
    files = [*(files_of_folder(place, main) if place.is_dir() else ()), LocalFile(main, name)]
    fields = program_fields(api, harness, options | {"main": None})
    return fields | {"files": [*fields.get("files", ()), *entries(api, files)]}


def _check_scores(found: dict[str, Any]) -> None:
    """Raise CommandError for an accepted case whose validator gave no score."""
    for case in found["results"]:
        if case["points"] == MOST_POINTS:
            message = f"The validator accepts {plain(case['id'])} without a score.txt. The score is not the package's."
            raise CommandError(message, ExitCode.PLATFORM_FAILURE)


def _show_cases(found: dict[str, Any], *, has_score_files: bool) -> None:
    rows = [
        (
            case_name(case),
            case["outcome"],
            case["verdict"],
            None if case["cpu_time_secs"] is None else f"{case['cpu_time_secs']:.3f}",
            None if case["memory_peak_bytes"] is None else f"{case['memory_peak_bytes'] / _MIB:.1f}",
            case_message(case),
        )
        for case in found["results"]
    ]
    show_table(("CASE", "OUTCOME", "VERDICT", "CPU S", "MEMORY MIB", "MESSAGE"), rows, "There are no cases.")
    most = "" if has_score_files else f" of {found['max_score']}"
    click.echo(f"{found['passed']} of {len(rows)} cases passed; score {found['score']}{most}")
    compiled = found["compile"]
    if compiled is not None and compiled["stderr"]:
        click.echo(plain(compiled["stderr"]).rstrip("\n"), err=True)
    if found["error_message"]:
        click.echo(f"rustbox: {plain(found['error_message'])}", err=True)


# Commands `problems`.

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@click.group()
def problems() -> None:
    """Keep problems on the service, so that test data is sent once.

    \b
    Examples:
      rustbox problems push ~/problems/hello
      rustbox judge solution.cpp --problem hello
      rustbox problems list
      rustbox problems delete hello
    """


@problems.command("push")
@click.argument("package", metavar="DIR|ZIP", type=click.Path(exists=True, path_type=Path))
@click.option("--id", "problem_id", metavar="ID", help="Default: the name of the folder or zip file.")
@click.option(
    "--checker", type=click.Choice(["lines", "exact", "tokens"]), help="Default: that of a package, or lines."
)
@_without_groups_option
@no_answers_option
@root_option
@_limit_option
@service_command
def push_problem(
    session: Session,
    /,
    as_json: bool,
    package: Path,
    problem_id: str | None,
    checker: str | None,
    without_groups: bool,
    no_answers: bool,
    root: Path | None,
    limits: tuple[tuple[str, str], ...],
) -> None:
    """Store a folder with 1.in and 1.ans (or 1.out), or a problem package of Kattis, ICPC, DOMjudge or BAPCtools.

    A zip file (.zip, .kpp) is the folder that it contains.

    Files that the service has are not sent again. Equal content has the same version.
    """
    folder = CasesFolder().convert(package, None, click.get_current_context())
    name = problem_id or (package.stem if is_zip(package) else package.resolve().name)
    if not _ID.fullmatch(name):
        raise click.UsageError(f"{plain(name)!r} is no id: letters, digits, dots, hyphens, underscores. Give --id.")
    found = read_case_folder(
        folder,
        reads_checker=checker is None,
        reads_groups=not without_groups,
        needs_answers=not no_answers,
        read=lambda path: path,
        most_cases=MAX_STORED_CASES,
        root=root,
    )
    given_limits = {limit: limit_value(limit, text) for limit, text in limits}
    show_warnings({"warnings": found.warnings(given_limits)})
    given = {"checker": {"kind": checker} if checker else None, "limits": found.limits_with(given_limits) or None}
    with session.api() as api, progress("storing files: {} of {}") as tell:
        answer, sent = push(api, name, found, tell, **given)
    show_warnings(answer)
    if as_json:
        show_json({**answer, "files_sent": sent})
        return
    size = answer["size_bytes"] / _MIB
    click.echo(
        f"{plain(answer['id'])}@{answer['version']}: {counted(answer['cases'], 'case')}, "
        f"{size:.1f} MiB, {counted(sent, 'file')} sent"
    )


@problems.command("list")
@page_options
@service_command
def list_problems(session: Session, most: int | None, as_json: bool) -> None:
    """List the project's problems."""
    columns = {"ID": "id", "VERSION": "version", "CASES": "cases", "BYTES": "size_bytes", "PUSHED": "pushed_at"}
    show_list(session.items(("problems",), most, {}), columns, "There are no problems.", as_json=as_json)


@problems.command("show")
@click.argument("name", metavar="ID[@VERSION]")
@service_command
def show_problem(session: Session, name: str, as_json: bool) -> None:
    """Show a problem, without its cases."""
    show(session.call("GET", ("problems", name)), as_json=as_json)


@problems.command("delete")
@click.argument("name", metavar="ID[@VERSION]")
@yes_option
@service_command
def delete_problem(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Delete a problem with all of its versions, or one version. Judge runs that began keep their cases."""
    confirm(f"Delete {plain(name)}?", yes=yes)
    deleted = session.call("DELETE", ("problems", name))
    tell(deleted, f"{plain(name)} deleted", as_json=as_json)
