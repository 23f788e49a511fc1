"""The languages that a runner can offer."""

from sandbox_runtime.languages.all_languages import LANGUAGES, binds, for_file, present, version
from sandbox_runtime.languages.entry import Compile, Language, LimitRefusedError, RequestRefusedError
from sandbox_runtime.languages.offering import examine, fork_problem, offered, tried_warm_start
from sandbox_runtime.languages.preparation import (
    PreparationError,
    files_so_far,
    init_program,
    is_prepared,
    prepare,
    toolchain_digest,
    warm,
)
from sandbox_runtime.languages.python import (
    FIGURES_VARIABLE,
    data_start,
    imports_packages,
    missing_package,
    package_versions,
    with_packages,
)
from sandbox_runtime.languages.specs import (
    DEFAULT_PROFILE,
    compile_spec,
    prewarm_spec,
    refuse_unfit,
    run_spec,
    waiting_specs,
    warm_language,
    warm_start,
    without_paths,
    without_script_paths,
)

__all__ = [
    "DEFAULT_PROFILE",
    "FIGURES_VARIABLE",
    "LANGUAGES",
    "Compile",
    "Language",
    "LimitRefusedError",
    "PreparationError",
    "RequestRefusedError",
    "binds",
    "compile_spec",
    "data_start",
    "examine",
    "files_so_far",
    "for_file",
    "fork_problem",
    "imports_packages",
    "init_program",
    "is_prepared",
    "missing_package",
    "offered",
    "package_versions",
    "prepare",
    "present",
    "prewarm_spec",
    "refuse_unfit",
    "run_spec",
    "toolchain_digest",
    "tried_warm_start",
    "version",
    "waiting_specs",
    "warm",
    "warm_language",
    "warm_start",
    "with_packages",
    "without_paths",
    "without_script_paths",
]
