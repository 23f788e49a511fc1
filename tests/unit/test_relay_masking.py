"""The relay masks a secret in the bytes that its host returns, in each form and across the borders of chunks."""

import base64
import itertools
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.network.relay.masking import Mask, forms_of, mask

VALUES = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=8, max_size=60)
NOISE = st.binary(max_size=40)


def encoded(value: bytes, before: bytes, after: bytes) -> dict[str, bytes]:
    """The value as a host may return it, with bytes around it."""
    text = value.decode()
    return {
        "itself": before + value + after,
        "JSON": before + json.dumps(text).encode() + after,
        "JSON with slashes": before + json.dumps(text).replace("/", "\\/").encode() + after,
        "percent": before + urllib.parse.quote(text, safe="").encode() + after,
        "percent of a path": before + urllib.parse.quote(text).encode() + after,
        "percent of a form": before + urllib.parse.quote_plus(text).encode() + after,
        "hexadecimal": before + value.hex().encode() + after,
        "hexadecimal in upper case": before + value.hex().upper().encode() + after,
        "base64": base64.b64encode(before + value + after),
        "base64 for URLs": base64.urlsafe_b64encode(before + value + after),
    }


def in_chunks(data: bytes, borders: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(border % (len(data) + 1) for border in borders)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(VALUES, NOISE, NOISE, st.lists(st.integers(0, 400), max_size=6))
def test_no_form_of_a_value_passes_whatever_the_chunks(
    value: str, before: bytes, after: bytes, cuts: list[int]
) -> None:
    secret = value.encode()
    forms = forms_of(secret)
    for data in encoded(secret, before, after).values():
        masking = Mask(forms)
        shown = b"".join(map(masking.feed, in_chunks(data, cuts))) + masking.release()
        assert len(shown) == len(data)
        assert not any(form in shown for form in forms if b"*" not in form)
        assert shown == mask(forms, data)


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_other_bytes_pass_unchanged(parts: list[bytes]) -> None:
    masking = Mask(forms_of(b"a-token-of-tests"))
    assert b"".join(map(masking.feed, parts)) + masking.release() == b"".join(parts)


def test_base64_is_masked_at_each_alignment_but_for_its_border_characters() -> None:
    value = b"tok_0123456789"
    for before in range(6):
        for after in range(3):
            data = base64.b64encode(b"x" * before + value + b"y" * after)
            shown = mask(forms_of(value), data)
            assert shown.count(b"*") >= 8 * len(value) // 6 - 2
            readable = base64.b64decode(shown.replace(b"*", b"A") + b"==")
            assert value[1:-1] not in readable


def test_a_right_guess_of_the_start_waits_as_long_as_a_wrong_one() -> None:
    """Else a program finds a value character by character, with a host that returns what it says."""
    value = b"tok_0123456789"
    for length in range(len(value)):
        right, wrong = Mask(forms_of(value)), Mask(forms_of(value))
        assert len(right.feed(b"data: " + value[:length])) == len(wrong.feed(b"data: " + b"x" * length))
        assert (right.holds, wrong.holds) == (True, True)
        assert len(right.release()) == len(wrong.release())
        assert (right.holds, wrong.holds) == (False, False)


def test_a_line_that_has_ended_waits_for_nothing() -> None:
    masking = Mask(forms_of(b"tok_0123456789"))
    assert masking.feed(b"data: tok_01\n\n") == b"data: tok_01\n\n"
    assert not masking.holds
    assert masking.feed(b"data: tok_0123456789\ntok_") == b"data: **************\n"
    assert masking.holds


def test_the_rest_of_a_form_is_masked_when_its_start_was_given_out() -> None:
    masking = Mask(forms_of(b"tok_0123456789"))
    assert masking.feed(b"a tok_0") + masking.release() == b"a tok_0"
    assert masking.feed(b"123456789 b") + masking.release() == b"********* b"


def test_two_secrets_that_overlap_are_both_masked() -> None:
    forms = (*forms_of(b"abcdefgh"), *forms_of(b"efghijkl"))
    for cut in range(13):
        masking = Mask(forms)
        data = b"abcdefghijkl"
        assert masking.feed(data[:cut]) + masking.feed(data[cut:]) + masking.release() == b"*" * 12


@pytest.mark.parametrize("size", [1 << 10, 1 << 20])
def test_a_long_answer_of_first_characters_takes_linear_time(size: int) -> None:
    """Each byte may begin a form. The bytes that are held back are fewer than the longest form."""
    masking = Mask(forms_of(b"aaaaaaaaaaaaaaab"))
    data = b"a" * 1024
    shown = sum(len(masking.feed(data)) for _ in range(size // 1024))
    assert size - shown < max(map(len, forms_of(b"aaaaaaaaaaaaaaab")))
