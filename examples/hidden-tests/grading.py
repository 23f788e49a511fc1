"""Test functions of a student's program from the interactor, which runs in a jail of its own.

The expected values are here and nowhere else. An answer of the student's program is text that proves nothing until it
is compared here. `main.py`, `Main.java` or `main.cpp` is the program at the other end.
"""

import json
import math
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

_SHOWN_CHARACTERS = 200
_TO_STUDENT, _FROM_STUDENT = os.dup(1), sys.stdin.buffer
os.dup2(2, 1)  # whatever the tests print is a message for the judge


class CallError(Exception):
    """The student's function raised an exception, gave no plain value, or its program has ended."""


def call(name: str, *args: Any) -> Any:
    """Call a function of the student, and return its result as JSON has it. Raises CallError."""
    return _value(_answer(name, args))


def expect(name: str, *args: Any, gives: Any, within: float = 1e-9) -> None:
    """Call a function of the student. Raises AssertionError or CallError unless its result is `gives`, also in type.

    `within`: the largest absolute or relative error where `gives` has a float.
    """
    text = _answer(name, args)
    if not _is_same(_value(text), gives, within):
        message = f"{name}{args!r:.{_SHOWN_CHARACTERS}} gave {text:.{_SHOWN_CHARACTERS}}, not {gives!r}"
        raise AssertionError(message)


def run(functions: Mapping[str, Callable[[], None]]) -> NoReturn:
    """Run the tests that the input of the case names, or all; accept the program if every one passes.

    Pass `globals()`: tests have names that begin with `test`. The judge sees why a test failed, the student only which.
    """
    names = Path(sys.argv[1]).read_text().split() or [name for name in functions if name.startswith("test")]
    tests = {name: functions[name] for name in names}
    failed = [name for name, test in tests.items() if not _passes(name, test)]
    if failed:
        Path(sys.argv[3], "teammessage.txt").write_text(f"failed: {', '.join(failed)}")
    sys.exit(43 if failed else 42)


def _passes(name: str, test: Callable[[], None]) -> bool:
    try:
        test()
    except (NameError, ImportError):  # a mistake in the tests themselves
        raise
    except Exception as error:  # noqa: BLE001 - such as a TypeError, from an answer of another type
        print(f"{name}: {type(error).__name__}: {error}")
        return False
    return True


def _answer(name: str, args: tuple[Any, ...]) -> str:
    """Return the answer to a call, as text. Lines before it are no answers: a program may have printed them."""
    mark = secrets.token_hex(8)
    values = json.dumps(args, ensure_ascii=False, separators=(",", ":"))
    left = f"{mark} {name} {values}\n".encode()
    try:
        while left:
            left = left[os.write(_TO_STUDENT, left) :]
    except BrokenPipeError:
        raise CallError("the program had ended before the call") from None
    for line in _FROM_STUDENT:
        word, _, text = line.decode(errors="replace").rstrip("\n").partition(" ")
        if word == mark:
            return text
    raise CallError("the program ended without an answer")


def _value(text: str) -> Any:
    if text.startswith("!"):
        raise CallError(text[1:][:_SHOWN_CHARACTERS])
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise CallError("the answer is no plain value") from None


def _is_same(found: Any, wanted: Any, within: float) -> bool:
    if isinstance(wanted, float):
        if type(found) not in {int, float}:
            return False
        try:
            return math.isclose(found, wanted, rel_tol=within, abs_tol=within)
        except OverflowError:
            return False
    if isinstance(wanted, dict):
        is_map = type(found) is dict and found.keys() == wanted.keys()
        return is_map and all(_is_same(found[key], value, within) for key, value in wanted.items())
    if isinstance(wanted, list | tuple):
        is_list = type(found) is list and len(found) == len(wanted)
        return is_list and all(map(_is_same, found, wanted, [within] * len(wanted)))
    return type(found) is type(wanted) and bool(found == wanted)
