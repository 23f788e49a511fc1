"""The options of compilers that are offered: none reaches another program or a file."""

import pytest

from events.compile_args import compile_arg_problem, is_compile_arg
from events.vocabulary import Language

OFFERED = {
    "c": ("-O0", "-O3", "-Og", "-std=c11", "-std=gnu23", "-DN", "-DN=", '-DN="a, b"', "-Wall", "-Wno-unused", "-lm"),
    "cpp": ("-O2", "-std=c++20", "-std=gnu++23", "-D_A1=(x)", "-Weffc++", "-Wno-effc++", "-Wextra", "-pthread"),
    "java": ("-Xlint", "-Xlint:all", "-Xlint:-serial", "-nowarn", "-Werror", "--release=17"),
    "go": ("-N", "-l"),
    "rust": (
        *("-O", "-Copt-level=3", "--edition=2018", "--cfg=judge", "-Coverflow-checks=on", "-Dwarnings", "-Adead_code"),
    ),
}
REFUSED = (
    *("-Wl,-rpath,/", "-Wa,-al", "-Wp,-MD,x", "-Wl", "-Xlinker", "-Xassembler", "-Xpreprocessor", "-T", "-z"),
    *("-fplugin=x",),
    *("-I/etc", "-I.", "-include", "-include/etc/passwd", "-imacros", "-idirafter", "-isystem/", "-B/box", "-specs=x"),
    *("@x",),
    *("-o", "-ox", "-o/box/solution", "-c", "-S", "-E", "-M", "-MD", "-MF", "-save-temps", "-dumpbase", "-wrapper"),
    *("-v",),
    *("-fuse-ld=bfd", "-L.", "-lcrypt", "-lm -lc", "-static", "-shared", "-x", "-xc", "--help", "-###", "--version"),
    *("-D", "-D1", "-D-x", "-DN(x)=1", "-DN=\n#include", "-DN=a\0", "-DN=é", "-D" + "N" * 65, "-U_", "-A", "-Whelp"),
    *("-std=", "-std=c++20\n", "-std=c11 -Wl,x", "-O4", "-O2\n", "-Wunknown", "-W", "-Wall -Wl,x", " -O2", "", "-"),
    *("-processor", "-cp", "-d", "-J-Xmx1g", "-Xlint:", "-Xlint:all,-x", "-proc:full", "-Xplugin:x", "--release", "-A"),
    *("-gcflags", "-ldflags", "-extldflags", "-importcfg", "-embedcfg", "-trimpath", "-linkobj", "-asmhdr", "-pack"),
    *("-C", "-Clinker=/box/x", "-Clink-arg=x", "-Clink-args=x", "-Z", "--emit=asm", "--extern", "--sysroot=/"),
    *("--out-dir",),
)


@pytest.mark.parametrize("language", Language)
def test_whole_options_are_offered(language: Language) -> None:
    for option in OFFERED.get(language.value, ()):
        assert is_compile_arg(language.value, option), option
        assert compile_arg_problem(language, option) is None, option


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("option", REFUSED, ids=ascii)
def test_no_other_option_is_offered(language: Language, option: str) -> None:
    assert not is_compile_arg(language.value, option)
    assert compile_arg_problem(language, option) is not None


def test_a_language_that_is_not_compiled_says_so() -> None:
    assert "not compiled" in (compile_arg_problem(Language.PYTHON, "-O2") or "")
    assert "-Wall" in (compile_arg_problem(Language.C, "-Wl,x") or "")
