"""Go: the compiler and the linker called directly, for one file without a module.

`go build` needs a writable cache, and would compile the standard library in every jail, which takes seconds. So the
host compiles the library once, and the jail calls the two tools that `go build` calls, with the same options.
"""

import platform
import shutil
from pathlib import Path

from events import vocabulary
from sandbox_runtime.jail import FilterFamily
from sandbox_runtime.languages.entry import Compile, Language, Prepared, Tool, compile_limits, profiles
from sandbox_runtime.languages.preparation import PreparationError, command

_ROOT = "/usr/lib/go"
_GO = f"{_ROOT}/bin/go"
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
_TOOLS = f"{_ROOT}/pkg/tool/linux_{_ARCHITECTURE}"
_LIBRARY = "/opt/rustbox/go"
_SOURCE = "solution.go"
# -dwarf=false: nobody reads the debug information, a third of the library.
_LIST_OPTIONS = (
    "-deps",
    "-export",
    "-trimpath",
    "-gcflags=all=-dwarf=false",
    "-f",
    "{{if .Export}}{{.ImportPath}} {{.Export}}{{end}}",
)

# -complete: the compiler, not the linker, reports a function without a body. -dwarf=false: `-s -w` would drop it.
_BUILD = (
    f"{_TOOLS}/compile -o main.a -p main -trimpath '/box=>.' -complete -dwarf=false -c=2 -nolocalimports"
    f" -importcfg {_LIBRARY}/importcfg.compile -pack ./{_SOURCE}"
    # GOROOT is empty, as with `go build -trimpath`, so that programs contain no path of this host. GOGC=off saves 5 to
    # 10 % of the linker's CPU time; GOMEMLIMIT makes it collect well below the step's memory limit.
    f" && GOROOT= GOGC=off GOMEMLIMIT=600MiB exec {_TOOLS}/link -o solution -importcfg {_LIBRARY}/importcfg.link"
    " -buildmode=exe -s -w main.a"
)


def _with_options(sources: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command for more files of package main. Tests are left out, as by `go build`."""
    files = (f"./{path}" for path in (_SOURCE, *sources) if not path.endswith("_test.go"))
    return ("/bin/sh", "-c", _BUILD.replace(f"./{_SOURCE}", '"$@"'), "sh", *options, *files)


def _is_public(package: str) -> bool:
    return not {"internal", "vendor"} & set(package.split("/"))


def _compile_library(directory: Path) -> None:
    """Compile all packages that a program may import, and their dependencies. Write a list of them for each tool."""
    work = directory / "work"
    work.mkdir()
    environment = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(work / "cache"),
        "GOENV": "off",
        "GOFLAGS": "",
        # Fewer collections of the compilers save a sixth of the CPU time; near the limit they collect as usual.
        "GOGC": "400",
        "GOMEMLIMIT": "400MiB",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    packages = command((_GO, "list", "std"), working_directory=work, environment=environment).stdout.split()
    public = {package for package in packages if _is_public(package)}
    listing = command((_GO, "list", *_LIST_OPTIONS, *public), working_directory=work, environment=environment)
    to_compile, to_link = [], []
    for line in listing.stdout.splitlines():
        package, _, built = line.partition(" ")
        name = package.replace("/", ".") + ".a"
        shutil.move(built, directory / name)
        entry = f"packagefile {package}={_LIBRARY}/{name}\n"
        to_link.append(entry)
        if package in public:
            to_compile.append(entry)
    if not to_compile:
        raise PreparationError("go list", "named no package")
    (directory / "importcfg.compile").write_text("".join(to_compile))
    (directory / "importcfg.link").write_text("".join(to_link))
    shutil.rmtree(work)


GO = Language(
    name="go",
    file_name=_SOURCE,
    family=FilterFamily.GO,
    tools=(Tool(_GO), Tool(f"{_TOOLS}/compile"), Tool(f"{_TOOLS}/link")),
    compile=Compile(
        argv=("/bin/sh", "-c", _BUILD),
        limits=compile_limits(processes=1024),
        artifact="solution",
        with_options=_with_options,
        source_suffixes=(".go",),
        has_folders=False,
        own_names=("main.a",),
    ),
    run_argv=("/box/solution",),
    prepared=Prepared(
        guest_path=_LIBRARY,
        make=_compile_library,
        made_from=(f"{_ROOT}/VERSION", f"{_TOOLS}/compile"),
        recipe=" ".join(_LIST_OPTIONS),
    ),
    profiles=profiles(vocabulary.Language.GO, memory_mb=256, cpu_secs=8, open_files=64, file_mb=1),
    version_argv=("{tool}", "version"),
    warm_files=(f"{_TOOLS}/compile", f"{_TOOLS}/link"),
    trial='package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println(6 * 7)\n}\n',
)
