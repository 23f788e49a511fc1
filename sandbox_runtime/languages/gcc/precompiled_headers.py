"""Precompiled headers of C++, and the sources that may use them without a change of meaning.

A header that is included before the source changes a program that defines a macro first, or does not include the
header. So we use a set only if the source starts with comments and includes of standard headers, and includes all
headers of the set. The order of standard headers does not matter.

The templates of the headers are instantiated already (early_instantiation.c), otherwise at the end of the source. That
matters for sources with a pragma for another processor or other optimisations, and for those that declare a function
as deprecated. Such sources use no set.
"""

import re
from types import MappingProxyType

from sandbox_runtime.jail.spec import GuestFile
from sandbox_runtime.languages.entry import SourceNames
from sandbox_runtime.languages.gcc.direct import HEADERS_FILE

DIRECTORY = "/opt/rustbox/cpp"

# In order of the time that they save. A source uses the first set whose headers it includes.
HEADER_SETS = MappingProxyType(
    {
        "everything.h": ("bits/stdc++.h",),
        "algorithms.h": ("iostream", "vector", "algorithm"),
        "streams.h": ("iostream",),
    }
)
# <cassert> reads NDEBUG, which no header here sets. <version>, <ciso646> and the C names add nothing to the others.
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
# A whole line, or a comment over several, without a backslash or a trigraph, which could join it to the next line.
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
    """Return the names of a source, and the file that names its precompiled headers, if it may use any."""
    included = set() if _has_options(code) else _leading_headers(code)
    name = next((name for name, headers in HEADER_SETS.items() if included.issuperset(headers)), None)
    headers = () if name is None else (GuestFile(HEADERS_FILE, f"{DIRECTORY}/{name}".encode()),)
    return SourceNames("solution.cpp", beside=headers)


def _has_options(code: bytes) -> bool:
    """Whether the source may choose a processor or optimisations, or deprecate functions that the headers use.

    Errs on the safe side: it only looks for words.
    """
    asks = b"ragma" in code and (b"target" in code or b"optimize" in code)
    return asks or b"unavailable" in code or b"deprecated" in code


def _leading_headers(code: bytes) -> set[str]:
    """Return the standard headers that a source includes before anything else."""
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
