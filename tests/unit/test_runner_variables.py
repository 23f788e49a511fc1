"""Variables of a program: whose value holds, and what of their values its output shows."""

import json
import random
from collections.abc import Callable

import pytest

from sandbox_runtime.executor.live_output import GrowingOutput, masked
from sandbox_runtime.languages import LANGUAGES, Language, run_spec


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_no_variable_replaces_one_of_the_language(language: Language) -> None:
    limits = language.run_limits("judge")
    plain = run_spec(language, b"", b"", limits=limits, stdin=b"")
    own = dict(plain.environment)
    stolen = dict.fromkeys(own, "stolen")
    spec = run_spec(language, b"", b"", limits=limits, stdin=b"", variables={**stolen, "TOKEN": "1"})
    assert dict(spec.environment) | dict(spec.variables) == {**own, "TOKEN": "1"}
    assert spec.environment == plain.environment  # a run that was set up in advance fits it


@pytest.mark.parametrize(
    "secret",
    ['say "hi"', "it's", """both ' and \"""", "back\\slash", "größe €", "tab\there", "a\x7fb1", "line\nfeed 2"],
)
@pytest.mark.parametrize(
    "show",
    [
        repr,
        ascii,
        lambda text: repr(text.encode()),
        lambda text: repr(["'", text]),
        lambda text: repr(f"token = {text}; isn't it"),
        lambda text: repr({"token": f'"{text}"'}),
        json.dumps,
        lambda text: json.dumps({"token": text}, ensure_ascii=False),
    ],
)
def test_the_python_and_json_forms_of_secrets_are_masked(secret: str, show: Callable[[str], str]) -> None:
    shown = masked(show(secret).encode(), [secret]).decode()
    quotes = str.maketrans("", "", "\\'\"")  # those around a text depend on the quotes in it
    assert shown.translate(quotes) == show("XXXX").replace("XXXX", "****").translate(quotes)


def test_secrets_are_masked_wherever_they_stand() -> None:
    assert masked(b"a hunter22 b hunter22", ["hunter22"]) == b"a **** b ****"
    assert masked(b"longer-hunter22", ["hunter22", "longer-hunter22"]) == b"****"
    assert masked(b"-- BEGIN\nabcdef\n", ["-- BEGIN\nabcdef\nghijkl"]) == b"****\n****\n"
    assert masked("größe".encode(), ["größe"]) == b"****"
    assert masked(b"\xff42", ["42"]) == b"\xff42"


def grown(output: bytes, secrets: list[str], sizes: list[int]) -> list[bytes]:
    """Return what is shown after each part of an output. The last size is used again and again."""
    growing, shown, at = GrowingOutput(secrets), [], 0
    while at < len(output):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        growing.add(output[at : at + size])
        shown.append(bytes(growing.shown))
        at += size
        assert growing.read_bytes == min(at, len(output))
    return shown


HOSTILE = [
    (b"x hunter22 y", ["hunter22"]),
    (b"hunterhunter22hunter2", ["hunter22"]),
    (b"hunter22hunter22", ["hunter22", "longer-hunter22", "22hunter"]),
    (b"xabcdefghijkl", ["xabc", "abcdefghijkl"]),
    (b"-- BEGIN\nabcdef\nghijkl\n", ["-- BEGIN\nabcdef\nghijkl"]),
    (b"aaaaaaaaaaaaaaaaaaaaab" * 9, ["aaaa", "aaab"]),
    ('größe gr "größ'.encode(), ["größe"]),
    (b'say \\"hi\\" and say "hi"', ['say "hi"']),
    (b"SECRETx****x", ["SECRET", "****x"]),
]


@pytest.mark.parametrize(("output", "secrets"), HOSTILE)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1000])
def test_a_growing_output_shows_a_beginning_of_the_masked_whole(output: bytes, secrets: list[str], size: int) -> None:
    whole = masked(output, secrets)
    for shown in grown(output, secrets, [size]):
        assert whole.startswith(shown)


def test_random_outputs_and_parts_show_a_beginning_of_the_masked_whole() -> None:
    chosen = random.Random(34)  # noqa: S311 - outputs of a test
    for _ in range(2_000):
        secrets = ["".join(chosen.choices("ab\n", k=chosen.randint(4, 7))) for _ in range(chosen.randint(1, 3))]
        output = "".join(chosen.choices("ab\n", k=60)).encode()
        whole = masked(output, secrets)
        for shown in grown(output, secrets, [chosen.randint(1, 9) for _ in range(60)]):
            assert whole.startswith(shown), (output, secrets)


def test_only_the_beginning_of_a_secret_waits() -> None:
    assert grown(b"ready\nhun", ["hunter22"], [100]) == [b"ready\n"]
    assert grown(b"ready\nhung\n", ["hunter22"], [9]) == [b"ready\n", b"ready\nhung\n"]
    assert grown(b"token hunter22 x", ["hunter22"], [100]) == [b"token **** x"]


def test_an_output_of_a_secret_that_has_asterisks_waits_for_its_end() -> None:
    assert grown(b"one\ntwo\n", ["pass****word"], [4]) == [b"", b""]


def test_an_output_that_looks_like_a_secret_everywhere_is_cheap() -> None:
    form = "a" * 2_000 + "b" + "a" * 2_000
    growing = GrowingOutput([form + str(number) for number in range(30)])
    for _ in range(16):
        growing.add(b"a" * 65_536)
    assert set(growing.shown) <= {ord("a")}
