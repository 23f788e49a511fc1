"""The programs of a soak: all languages, honest ones and ones that fail in each way that there is."""

from collections.abc import Iterator

from bench.answers import Expected
from bench.sources import ADDING_LANGUAGES, Program, adding_program, new_number, python_program

_FAILING = (
    Program("python", "import sys\nprint(NUMBER)\nsys.exit(7)\n", Expected("NUMBER\n", "RE", "re_nonzero_exit")),
    Program(
        "python", "NUMBER\nwhile True: pass\n", Expected("", "TLE", "tle_cpu_judge"), limits=(("cpu_time_secs", 0.2),)
    ),
    Program(
        "python",
        "import time\nprint(NUMBER)\ntime.sleep(60)\n",
        Expected("NUMBER\n", "TLE", "tle_wall_judge"),
        # Long enough for the line to be printed on a machine that is busy.
        limits=(("wall_time_secs", 1.0),),
    ),
    Program(
        "python",
        "kept = [NUMBER]\nwhile True: kept.append(bytearray(1 << 20))\n",
        Expected("", "MLE", "mle_kernel_oom"),
        limits=(("memory_mb", 48),),
    ),
    Program(
        "python",
        "import os, time\nprint(NUMBER)\nwhile True:\n    if os.fork() == 0: time.sleep(60)\n",
        Expected("NUMBER\n", "PLE", "ple_cgroup_pids"),
    ),
    Program(
        "python", "while True: print(NUMBER)\n", Expected(None, "RE", "ole_output_limit"), limits=(("output_kb", 16),)
    ),
    Program(
        "c",
        '#include <signal.h>\n#include <stdio.h>\nint main(void) { puts("NUMBER"); fflush(stdout); raise(SIGSEGV); }\n',
        Expected("NUMBER\n", "SIG", "re_fatal_signal"),
    ),
    Program(
        "c",
        '#include <stdio.h>\nint main(void) { FILE *file = fopen("NUMBER", "w"); for (;;) fputs("NUMBER", file); }\n',
        Expected("", "FSE", "fse_limit_exceeded"),
    ),
    Program("c", "int main(void) { return unknown_NUMBER; }\n", Expected("", "RE", "ce_compile_failed")),
)


def mixed_programs(count: int) -> Iterator[Program]:
    """So many, none twice: in turn one honest one, one honest Python print, one failing one."""
    for turn in range(count):
        if turn % 3 == 0:
            yield adding_program(ADDING_LANGUAGES[turn // 3 % len(ADDING_LANGUAGES)], new_number())
        elif turn % 3 == 1:
            yield python_program()
        else:
            yield _new(_FAILING[turn // 3 % len(_FAILING)])


def _new(program: Program) -> Program:
    number = str(new_number())
    stdout = program.expected.stdout
    expected = Expected(
        None if stdout is None else stdout.replace("NUMBER", number), program.expected.verdict, program.expected.cause
    )
    return Program(program.language, program.code.replace("NUMBER", number), expected, "", program.limits)
