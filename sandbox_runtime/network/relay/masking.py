"""Mask a secret in the bytes that its host returns, across the borders of chunks, at the same length.

The forms: the value, its JSON and percent forms, hexadecimal, and base64 at its three alignments. A host that returns
the value in another form gives it to the program: the host is trusted with the value.
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = b"*"
# A form of fewer bytes appears by chance. Base64 of a value of 8 bytes has at least 9 characters that it alone decides.
MIN_FORM_BYTES: Final = 6
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")


def forms_of(value: bytes) -> tuple[bytes, ...]:
    """Return the forms of a value that are masked, each once, the longest first."""
    text = value.decode("latin-1") if not _is_utf8(value) else value.decode()
    forms = {value, value.hex().encode(), value.hex().upper().encode(), *_base64_forms(value)}
    for is_ascii in (True, False):
        escaped = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        forms |= {escaped.encode(), escaped.replace("/", "\\/").encode()}
    for percent in (quote(value, safe=""), quote(value), quote_plus(value), _quote_all(value)):
        forms |= {percent.encode(), _lower_escapes(percent).encode()}
    return tuple(sorted((form for form in forms if len(form) >= MIN_FORM_BYTES), key=lambda form: (-len(form), form)))


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _quote_all(value: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in value)


def _lower_escapes(percent: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escape: escape.group().lower(), percent)


def _base64_forms(value: bytes) -> Iterable[bytes]:
    """Yield the characters that the value alone decides, for each number of bytes before it modulo 3.

    The character at a border mixes bits of the value with bits of its neighbour: it is no part of the form.
    """
    for before in range(3):
        text = base64.b64encode(b"\0" * before + value + b"\0\0")
        start = -(-8 * before // 6)
        end = 8 * (before + len(value)) // 6
        form = text[start:end]
        yield form
        yield form.translate(_URLSAFE)


class Mask:
    """Masks the forms of some values in one stream.

    The last bytes of a stream may be the start of a form. `feed` holds back as many of them whatever they are, but for
    those of a line that has ended: no form has a line feed. `release` gives the others out after a time that is always
    the same: if only the start of a form waited, a program could guess a value character by character, with a host that
    returns its guesses.
    """

    __slots__ = ("_forms", "_given", "_longest", "_original", "_shown")

    def __init__(self, forms: Iterable[bytes]) -> None:
        self._forms = tuple(forms)
        if any(b"\n" in form for form in self._forms):
            raise ValueError("a form with a line feed would not be masked")
        self._longest = max(map(len, self._forms), default=1)
        self._original = b""  # the last bytes, in which the next ones may complete a form
        self._shown = bytearray()  # the same bytes, in which forms are masked
        self._given = 0  # so many of them were given out

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that can be sent now."""
        original = self._original + data
        shown = self._shown
        shown += data
        for form in self._forms:
            place = original.find(form)
            while place >= 0:
                shown[place : place + len(form)] = MASK * len(form)
                place = original.find(form, place + 1)
        kept_from = max(0, len(original) - self._longest + 1, original.rfind(b"\n") + 1)
        given = bytes(shown[self._given : kept_from])
        self._given = max(0, self._given - kept_from)
        self._original, self._shown = original[kept_from:], shown[kept_from:]
        return given

    @property
    def holds(self) -> bool:
        """Whether bytes wait for those that follow."""
        return self._given < len(self._shown)

    def release(self) -> bytes:
        """Return the bytes that are held back. Of a form that is complete later, only the rest is masked."""
        given, self._given = bytes(self._shown[self._given :]), len(self._shown)
        return given


def mask(forms: Iterable[bytes], data: bytes) -> bytes:
    """Mask all forms in data that is complete, such as a header."""
    masking = Mask(forms)
    return masking.feed(data) + masking.release()
