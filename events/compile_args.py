"""The options of compilers that a request may have."""

import re
from types import MappingProxyType

from events.vocabulary import Language

_WARNINGS = (
    "all|extra|pedantic|error|fatal-errors|shadow|conversion|sign-conversion|sign-compare|float-conversion|float-equal|format|format=2"
    "|unused|unused-variable|unused-parameter|unused-function|unused-result|uninitialized|maybe-uninitialized"
    "|implicit-fallthrough|switch|switch-enum|parentheses|return-type|type-limits|vla|cast-qual|cast-align|undef"
    "|null-dereference|array-bounds|overflow|shift-overflow|logical-op|double-promotion|strict-overflow"
    "|deprecated-declarations|misleading-indentation|duplicated-cond|duplicated-branches"
)
_WARNINGS_OF_C = "|implicit-function-declaration|missing-prototypes|strict-prototypes|old-style-definition"
_WARNINGS_OF_CPP = (
    "|non-virtual-dtor|overloaded-virtual|old-style-cast|reorder|delete-non-virtual-dtor|effc\\+\\+|useless-cast"
)
_GCC = r"-O[0-3sg]|-D[A-Za-z_][A-Za-z0-9_]{0,63}(?:=[ -~]*)?|-w|-pedantic|-pedantic-errors|-lm|-pthread"
_LINTS_OF_JAVA = (
    "all|none|cast|deprecation|divzero|empty|fallthrough|finally|overrides|rawtypes|removal|serial|static|try|unchecked"
    "|varargs"
)
_LINTS_OF_RUST = (
    "warnings|unused|dead_code|unused_variables|unused_mut|unused_imports|unused_must_use|unused_assignments"
    "|unreachable_code|nonstandard_style|non_snake_case|future_incompatible|unsafe_code"
)
PATTERNS = MappingProxyType(
    {
        Language.C: rf"{_GCC}|-std=(?:c|gnu)(?:89|90|99|11|17|18|2x|23)"
        rf"|-W(?:no-)?(?:{_WARNINGS}{_WARNINGS_OF_C})",
        Language.CPP: rf"{_GCC}|-std=(?:c|gnu)\+\+(?:98|03|11|14|17|20|2a|23|2b|26)"
        rf"|-W(?:no-)?(?:{_WARNINGS}{_WARNINGS_OF_CPP})",
        Language.JAVA: rf"-Xlint|-Xlint:-?(?:{_LINTS_OF_JAVA})|-nowarn|-Werror|-deprecation|-parameters|-g"
        r"|--release=(?:8|11|17|21)",
        Language.GO: "-N|-l",
        Language.RUST: rf"-O|-Copt-level=[0-3s]|--edition=(?:2015|2018|2021|2024)|--cfg=[A-Za-z_][A-Za-z0-9_]{{0,63}}"
        rf"|-C(?:overflow-checks|debug-assertions)=(?:on|off|yes|no)|-[AWD](?:{_LINTS_OF_RUST})",
    }
)
"""Regular expressions of whole options, by language; the others are not compiled.

Only options that end with the compiler itself: none passes text on to an assembler, a linker or a file.
"""

_OFFERED_BY_GCC = "-DNAME, -DNAME=VALUE, warnings such as -Wall, -lm, -pthread"
_OFFERED = MappingProxyType(
    {
        Language.C: f"-O0 to -O3, -Os, -Og, -std=c11 (or another), {_OFFERED_BY_GCC}",
        Language.CPP: f"-O0 to -O3, -Os, -Og, -std=c++20 (or another), {_OFFERED_BY_GCC}",
        Language.JAVA: "-Xlint, -Xlint:unchecked (or another), -nowarn, -Werror, -deprecation, -parameters, -g, "
        "--release=8, 11, 17 or 21",
        Language.GO: "-N, -l",
        Language.RUST: "-O, -Copt-level=0 to 3, --edition=2018 (or another), --cfg=NAME, -Coverflow-checks=on, "
        "-Cdebug-assertions=on, lints such as -Dwarnings",
    }
)


def is_compile_arg(language: str, option: str) -> bool:
    """Whether a program in this language may have the option."""
    return language in PATTERNS and re.fullmatch(PATTERNS[Language(language)], option) is not None


def compile_arg_problem(language: Language, option: str) -> str | None:
    """Return a sentence about what is wrong with an option. None: nothing."""
    if language not in PATTERNS:
        return f"Programs in {language} are not compiled. Leave compile_args out."
    if is_compile_arg(language, option):
        return None
    return f"This option is not offered for {language}. Offered are whole options: {_OFFERED[language]}."
