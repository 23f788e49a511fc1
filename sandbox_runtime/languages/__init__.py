"""The languages that a runner can offer."""

from sandbox_runtime.languages.all_languages import LANGUAGES, binds, for_file, present, version
from sandbox_runtime.languages.data.packages import FIGURES_VARIABLE, with_packages
from sandbox_runtime.languages.data.packages import versions as package_versions
from sandbox_runtime.languages.data.template import data_start, imports_packages
from sandbox_runtime.languages.diagnostics import without_paths, without_python_paths
from sandbox_runtime.languages.entry import Compile, Language, LimitRefusedError, Profile, RequestRefusedError, Tool
from sandbox_runtime.languages.forking import fork_problem, tried_warm_start
from sandbox_runtime.languages.init_build import init_program
from sandbox_runtime.languages.offering import examine, offered
from sandbox_runtime.languages.preparation import PreparationError, files_so_far, is_prepared, prepare
from sandbox_runtime.languages.requested.input_files import refuse_unfit
from sandbox_runtime.languages.specs import (
    DEFAULT_PROFILE,
    compile_spec,
    prewarm_spec,
    run_spec,
    waiting_specs,
    warm_language,
    warm_start,
)
from sandbox_runtime.languages.toolchain import toolchain_digest
from sandbox_runtime.languages.warming import warm

__all__ = [
    "DEFAULT_PROFILE",
    "FIGURES_VARIABLE",
    "LANGUAGES",
    "Compile",
    "Language",
    "LimitRefusedError",
    "PreparationError",
    "Profile",
    "RequestRefusedError",
    "Tool",
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
    "without_python_paths",
]
