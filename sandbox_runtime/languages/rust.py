"""Rust: compiled by the system's rustc, without cargo."""

from pathlib import Path

from events import vocabulary
from sandbox_runtime.languages import gcc
from sandbox_runtime.languages.entry import Compile, Language, Prepared, Tool, compile_limits, profiles
from sandbox_runtime.languages.gcc import through_compiler
from sandbox_runtime.languages.preparation import MOLD

COMPILER = "/usr/bin/rustc"
LINK_DRIVER = "/usr/bin/gcc"

DIRECTORY = "/opt/rustbox/rust"
_REST = (
    "-C",
    f"linker={DIRECTORY}/{gcc.LINKER_NAME}",
    *(part for option in through_compiler() for part in ("-C", f"link-arg={option}")),
    # One thread of LLVM: splitting a program of this size takes a fifth more CPU time.
    "-C",
    "codegen-units=1",
    # Debian's standard library adds 11 MB of debug information to every program.
    "-C",
    "strip=debuginfo",
    "-o",
    "solution",
    "solution.rs",
)


def _with_options(_sources: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command with other options. rustc refuses some options that come twice. It finds modules itself."""
    has_level = any(option.startswith(("-O", "-Copt-level=")) for option in options)
    has_edition = any(option.startswith("--edition=") for option in options)
    level = () if has_level else ("-O",)
    edition = () if has_edition else ("--edition", "2021")
    return (COMPILER, *level, *edition, *options, *_REST)


def _prepare(directory: Path) -> None:
    gcc.write_linker(LINK_DRIVER, directory)


RUST = Language(
    name="rust",
    file_name="solution.rs",
    tools=(Tool(COMPILER), Tool(LINK_DRIVER)),
    compile=Compile(
        argv=(COMPILER, "-O", "--edition", "2021", *_REST),
        limits=compile_limits(),
        with_options=_with_options,
        artifact="solution",
    ),
    run_argv=("/box/solution",),
    prepared=Prepared(
        guest_path=DIRECTORY,
        make=_prepare,
        made_from=(LINK_DRIVER, MOLD),
        recipe=gcc.LINKER_RECIPE,
    ),
    profiles=profiles(vocabulary.Language.RUST, memory_mb=256, cpu_secs=8, open_files=64, file_mb=1),
    version_argv=("{tool}", "--version"),
    warm_files=("/usr/lib/*/librustc_driver-*.so", "/usr/lib/*/libLLVM.so.*", MOLD),
    trial='fn main() {\n    println!("{}", 6 * 7);\n}\n',
)
