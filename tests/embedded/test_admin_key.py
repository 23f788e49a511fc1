"""The administrator's key of `serve`, and how it keeps the states of `up` and `serve` apart."""

import os
import re

import pytest

from infra.local.settings import ADMIN_KEY, ADMIN_KEY_PARAMETER, StartError
from infra.local.state import ensure_admin_key, seed_admin_key
from tests.embedded.backend import Backend

SHOWN = re.compile(r"rustbox: the administrator's key, shown only now: (\S{43})\n")


def flush() -> None:
    """Nothing waits for the disk here."""


def stored(aws: Backend) -> str:
    found = aws.client("ssm").get_parameter(Name=ADMIN_KEY_PARAMETER, WithDecryption=True)
    return str(found["Parameter"]["Value"])


def test_a_key_is_made_and_shown_once(aws: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    ssm, shown_too_early = aws.client("ssm"), []
    ensure_admin_key(ssm, lambda: shown_too_early.append(capsys.readouterr().err))
    assert shown_too_early == [""]  # the key is on the disk first
    (shown,) = SHOWN.findall(capsys.readouterr().err)
    assert stored(aws) == shown
    ensure_admin_key(ssm, flush)
    assert (stored(aws), capsys.readouterr().err) == (shown, "")


def test_a_state_of_up_is_refused_by_serve(aws: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    ssm = aws.client("ssm")
    seed_admin_key(ssm)
    seed_admin_key(ssm)
    with pytest.raises(StartError, match="whose keys are public"):
        ensure_admin_key(ssm, flush)
    assert (stored(aws), capsys.readouterr().err) == (ADMIN_KEY, "")


def test_a_state_of_serve_is_refused_by_up(aws: Backend) -> None:
    ssm = aws.client("ssm")
    ensure_admin_key(ssm, flush)
    before = stored(aws)
    with pytest.raises(StartError, match="the state of `make serve`"):
        seed_admin_key(ssm)
    assert stored(aws) == before


def test_a_key_that_the_journal_would_keep_is_not_made(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ssm, stderr = aws.client("ssm"), os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{stderr.st_dev}:{stderr.st_ino}")
    with pytest.raises(StartError, match="run `make admin-key` in a terminal"):
        ensure_admin_key(ssm, flush)
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        stored(aws)
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")  # of another stream
    ensure_admin_key(ssm, flush)
    assert stored(aws)
