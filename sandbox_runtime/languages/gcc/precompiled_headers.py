"""Precompiled headers of C++, and which of them a source may have without meaning anything else.

A header that is included before the source changes what a program means when the program defines a macro first, or
does not include it at all. So one is taken only if the source begins with nothing but comments and includes of standard
headers, and all that is precompiled is among them. The order of standard headers means nothing. Templates that the
headers use themselves are instantiated already (early_instantiation.c), at the end of a source they would otherwise be:
for another processor, or with other optimisations, if a pragma asks for them, and with a word on each function that is
declared again as deprecated. Sources with such a one have none.
"""

import re
from types import MappingProxyType

from sandbox_runtime.jail.spec import GuestFile
from sandbox_runtime.languages.entry import SourceNames
from sandbox_runtime.languages.gcc.direct import HEADERS_FILE

DIRECTORY = "/opt/rustbox/cpp"

# By the time that they save: the first whose headers a source has is taken.
HEADER_SETS = MappingProxyType(
    {
        "everything.h": ("bits/stdc++.h",),
        "algorithms.h": ("iostream", "vector", "algorithm"),
        "streams.h": ("iostream",),
    }
)
# <cassert> reads NDEBUG, which none of these sets; <version>, <ciso646> and the C names add nothing to the others.
_STANDARD_NAMES = (
    " bits/stdc++.h algorithm any array atomic bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes"
    " climits clocale cmath complex condition_variable csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib"
    " cstring ctime cuchar cwchar cwctype deque exception execution filesystem forward_list fstream functional"
    " future initializer_list iomanip ios iosfwd iostream istream iterator limits list locale map memory"
    " memory_resource mutex new numeric optional ostream queue random ratio regex scoped_allocator set"
    " shared_mutex sstream stack stdexcept streambuf string string_view system_error thread tuple type_traits"
    " typeindex typeinfo unordered_map unordered_set utility valarray variant vector assert.h ctype.h errno.h"
    " limits.h math.h stdint.h stdio.h stdlib.h string.h time.h"
)
_STANDARD = frozenset(_STANDARD_NAMES.split())
# Whole lines, or a comment of several, without a backslash or a trigraph, which could join them to the next one.
_LINE = re.compile(
    rb"""
    [ \t]*(?:
        \#[ \t]*include[ \t]*<(?P<header>[a-z_0-9/+.]+)>[ \t]*(?://[^\\?\r\n]*)?
        | //[^\\?\r\n]*
        | /\*(?:[^*\\?]|\*(?!/))*+\*/[ \t]*
    )?\r?\n
    """,
    re.VERBOSE,
)


def cpp_names(code: bytes) -> SourceNames:
    """The source's file, and the file of precompiled headers that it may have."""
    included = set() if _has_options(code) else _leading_headers(code)
    name = next((name for name, headers in HEADER_SETS.items() if included.issuperset(headers)), None)
    headers = () if name is None else (GuestFile(HEADERS_FILE, f"{DIRECTORY}/{name}".encode()),)
    return SourceNames("solution.cpp", beside=headers)


def _has_options(code: bytes) -> bool:
    """Whether it may ask for a processor or for optimisations, or mark what the headers use as not to be used.

    Some that have the words do none of it.
    """
    asks = b"ragma" in code and (b"target" in code or b"optimize" in code)
    return asks or b"unavailable" in code or b"deprecated" in code


def _leading_headers(code: bytes) -> set[str]:
    """Standard headers that a source includes before anything else."""
    headers: set[str] = set()
    place = 0
    while (line := _LINE.match(code, place)) is not None:
        place = line.end()
        if line["header"] is None:
            continue
        header = line["header"].decode("ascii")
        if header not in _STANDARD:
            break
        headers.add(header)
    return headers
