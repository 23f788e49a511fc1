"""Java: OpenJDK 21. The compile step leaves one jar, whatever the number of classes."""

import os
import platform
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from events import vocabulary
from sandbox_runtime.jail import FilterFamily, WaitingCommand
from sandbox_runtime.languages.entry import Compile, Language, Prepared, SourceNames, Tool, compile_limits, profiles
from sandbox_runtime.languages.preparation import SOURCES, build, command

# The names of a source: javac requires that the file is named after its public type. A guest chooses the source and the
# worker reads it. So the time must be linear in its size.

_DEFAULT = "Main"
_MAX_NAME_BYTES = 200  # a file name has at most 255; nested classes have longer names than the source
_TYPE_KEYWORDS = frozenset({"class", "interface", "enum", "record"})
_TOKEN = re.compile(
    r"""
    //[^\n]*+ | /\*.*?(?:\*/|\Z)                    # comments
    | \"{3}(?:\\(?:.|\Z)|[^\\])*?(?:\"{3}|\Z)      # text block: an unclosed one ends with the source
    | "(?:\\.|[^"\\\n])*+"? | '(?:\\.|[^'\\\n])*+'?  # string, character
    | (?P<word>[\w$]+) | (?P<mark>[{}().;@])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class _Type:
    name: str
    is_public: bool
    has_main: bool = False


def java_names(code: bytes) -> SourceNames:
    """Return the file name of the public type, else Main.java, and the first class with a main method.

    The public type comes first, then Main, then others. A source that javac refuses gets some name, never an error.
    """
    scan = _Scan()
    for match in _TOKEN.finditer(code.decode("utf-8", "replace")):
        part = match["word"] or match["mark"]
        if part is not None:
            scan.take(part)
    public = next((found for found in scan.types if found.is_public), None)
    if public is not None and len(public.name.encode()) > _MAX_NAME_BYTES:
        public = None  # javac reports the error
    file_stem = _DEFAULT if public is None else public.name
    preferred = sorted(scan.types, key=lambda found: (not found.has_main, not found.is_public, found.name != _DEFAULT))
    entry = preferred[0].name if preferred and preferred[0].has_main else file_stem
    return SourceNames(f"{file_stem}.java", f"{scan.package}.{entry}" if scan.package else entry)


class _Scan:
    """Follows the nesting of a source, and records the types at its top level."""

    def __init__(self) -> None:
        self.types: list[_Type] = []
        self.package = ""
        self._recent: list[str] = []  # words and marks since the last end of a statement or body
        self._seen: set[str] = set()  # the same as a set, because a statement may be as long as the source
        self._keywords = 0  # how many of them were type keywords
        self._braces = 0
        self._parentheses = 0

    def take(self, part: str) -> None:
        if part == "(":
            self._open_parenthesis()
        elif part == ")":
            self._parentheses = max(0, self._parentheses - 1)
        elif self._parentheses > 0:
            return
        elif part in {"{", "}"}:
            self._braces = max(0, self._braces + (1 if part == "{" else -1))
            self._forget()
        elif part == ";":
            if self._braces == 0 and self._recent[:1] == ["package"]:
                self.package = "".join(self._recent[1:])
            self._forget()
        else:
            if self._braces == 0 and self._declares_type():
                self.types.append(_Type(part, "public" in self._seen))
            self._recent.append(part)
            self._seen.add(part)
            self._keywords += part in _TYPE_KEYWORDS

    def _forget(self) -> None:
        self._recent.clear()
        self._seen.clear()
        self._keywords = 0

    def _open_parenthesis(self) -> None:
        is_member = self._parentheses == 0 and self._braces == 1
        if is_member and self.types and self._recent[-2:] == ["void", "main"]:
            self.types[-1].has_main |= "static" in self._seen
        self._parentheses += 1

    def _declares_type(self) -> bool:
        """Whether the next word names a type: it follows the first type keyword of the statement."""
        return self._keywords == 1 and self._recent[-1] in _TYPE_KEYWORDS


_DEBIAN_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
# The JDK's own directory: /usr/bin/java may be another version.
_JDK = f"/usr/lib/jvm/java-21-openjdk-{_DEBIAN_ARCHITECTURE}"
_JAVA, _JAVAC = f"{_JDK}/bin/java", f"{_JDK}/bin/javac"
# The JDK reads its configuration through links to this directory.
_CONFIGURATION = "/etc/java-21-openjdk"
_PREPARED = "/opt/rustbox/java"
_COMPILER_CLASS = "CompileToJar"
_COMPILER_SOURCE = SOURCES / f"{_COMPILER_CLASS}.java"
_TRAINING_SOURCE = SOURCES / "Training.java"
_WARMING_SOURCE = SOURCES / "WarmUp.java"
_LAUNCHER = "waiting_java"
_LAUNCHER_SOURCE = SOURCES / f"{_LAUNCHER}.c"
_SOURCES = (_COMPILER_SOURCE, _TRAINING_SOURCE, _WARMING_SOURCE, _LAUNCHER_SOURCE)
_C_COMPILER = "/usr/bin/gcc"

_OPTIONS = (
    # One collector thread and a quick start, because a JVM lives for seconds here.
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    # Map the class archive at its own address. Else each start relocates it, which copies 7 to 11 MB of shared pages.
    # No jail relies on the random address.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:ArchiveRelocationMode=0",
    # The JVM would look for limits in files that guests do not see.
    "-XX:-UseContainerSupport",
    # Above every memory limit, also for one large array, so that the kernel's out-of-memory kill decides, and not an
    # exit code that a program can imitate. From 32 GB on, references would take twice the memory.
    "-Xmx24g",
    # A young generation of a fixed size: by default it would grow with -Xmx, not with the memory limit.
    "-Xms64m",
    "-Xmn32m",
    # Messages of the JVM must not be in the program's output.
    "-Xlog:disable",
    "-Xlog:all=warning:stderr",
    "-Dfile.encoding=UTF-8",
    "-Dstdout.encoding=UTF-8",
    "-Dstderr.encoding=UTF-8",
)
# javac ends before the JVM's second compiler would save time.
_OPTIONS_OF_COMPILER = (*_OPTIONS, "-XX:TieredStopAtLevel=1")
# Of the program's main thread and of its other threads. The JVM takes at most 1 GB.
_STACK_KIB = "{stack_kib}"
# An endless recursion takes up to ten times its stack of memory, until its error has reached the caller.
_STACK_SHARE = Fraction(1, 16)
_COMPILERS_STACK_KIB = "1024"  # the default of java(1) for its main thread


_COMPILE = (
    _JAVA,
    *_OPTIONS_OF_COMPILER,
    f"-XX:SharedArchiveFile={_PREPARED}/compile.jsa",
    "-cp",
    f"{_PREPARED}/compile.jar",
    _COMPILER_CLASS,
    "{file}",
    "solution.jar",
)


def _with_options(sources: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    return (*_COMPILE, *options, *sources)


def _waiting(
    warming: str, stack_kib: str, options: tuple[str, ...], class_path: str, told_words: int
) -> WaitingCommand:
    """Return the waiting form of `java OPTION... -cp CLASS_PATH`, which gets its other words later: waiting_java.c."""
    launcher = (f"{_PREPARED}/{_LAUNCHER}", f"{_JDK}/lib/server/libjvm.so", warming, stack_kib)
    properties = ("-Dsun.java.launcher=SUN_STANDARD", f"-Djava.class.path={class_path}")
    return WaitingCommand((*launcher, *options, *properties), told_words)


def _prepare(directory: Path) -> None:
    _prepare_compiler(directory)
    _prepare_launcher(directory)


def _prepare_launcher(directory: Path) -> None:
    """Build the commands that wait for a program, if a C compiler is installed. Java works without them."""
    if not os.access(_C_COMPILER, os.X_OK):
        return
    headers = (f"-I{_JDK}/include", f"-I{_JDK}/include/linux")
    build(_C_COMPILER, _LAUNCHER_SOURCE, {}, directory / _LAUNCHER, headers)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        command((_JAVAC, "-d", ".", str(_WARMING_SOURCE)), working_directory=work)
        shutil.copy(work / "rustbox/warming/WarmUp.class", directory / "WarmUp.class")
        shutil.copy(_TRAINING_SOURCE, directory)


def _prepare_compiler(directory: Path) -> None:
    """Build the compiler that writes a jar, and the archive of javac's loaded classes, which halves its time."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        command((_JAVAC, "-d", "made", str(_COMPILER_SOURCE)), working_directory=work)
        with zipfile.ZipFile(directory / "compile.jar", "w") as jar:
            for path in sorted((work / "made").iterdir()):
                jar.write(path, path.name)
        archive = f"-XX:ArchiveClassesAtExit={directory / 'compile.jsa'}"
        # The JVM refuses an archive of another class path. So the archive is made with an empty one.
        training = ("-cp", "/nonexistent", "com.sun.tools.javac.Main", "-d", "made", str(_TRAINING_SOURCE))
        command((_JAVA, *_OPTIONS_OF_COMPILER, archive, *training), working_directory=work)


JAVA = Language(
    name="java",
    file_name="Main.java",
    family=FilterFamily.JAVA,
    name_source=java_names,
    tools=(Tool(_JAVA), Tool(_JAVAC)),
    shown_trees=(_CONFIGURATION,),
    compile=Compile(
        argv=_COMPILE,
        limits=compile_limits(processes=1024),
        artifact="solution.jar",
        with_options=_with_options,
        source_suffixes=(".java",),
        waiting=_waiting(
            _COMPILER_CLASS,
            _COMPILERS_STACK_KIB,
            (
                *_OPTIONS_OF_COMPILER,
                # A small young generation saves 23 MB while the command waits, and costs no time.
                "-Xms24m",
                "-Xmn8m",
                f"-XX:SharedArchiveFile={_PREPARED}/compile.jsa",
                f"-Drustbox.training={_PREPARED}/{_TRAINING_SOURCE.name}",
            ),
            f"{_PREPARED}/compile.jar",
            told_words=3,
        ),
    ),
    run_argv=(_JAVA, *_OPTIONS, f"-Xss{_STACK_KIB}k", "-cp", "solution.jar", "{class}"),
    waiting=_waiting(
        f"{_PREPARED}/WarmUp.class",
        _STACK_KIB,
        (*_OPTIONS, f"-Xss{_STACK_KIB}k", f"-Drustbox.jar={_PREPARED}/compile.jar"),
        "solution.jar",
        told_words=1,
    ),
    prepared=Prepared(
        guest_path=_PREPARED,
        make=_prepare,
        made_from=(f"{_JDK}/lib/server/libjvm.so", f"{_JDK}/lib/modules", _C_COMPILER),
        recipe=" ".join(_OPTIONS_OF_COMPILER) + "".join(source.read_text() for source in _SOURCES),
    ),
    profiles=profiles(
        vocabulary.Language.JAVA,
        memory_mb=512,
        cpu_secs=8,
        open_files=128,
        file_mb=2,
        stack_share=_STACK_SHARE,
    ),
    version_argv=("{tool}", "--version"),
    trial="public class Main {\n  public static void main(String[] a) {\n    System.out.println(6 * 7);\n  }\n}\n",
    warm_files=(f"{_JDK}/lib/modules", f"{_JDK}/lib/server/libjvm.so", f"{_JDK}/lib/server/classes.jsa"),
)
