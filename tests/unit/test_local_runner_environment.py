"""The local stack gives its runner the settings that a user sets, and nothing else of the environment."""

from pathlib import Path

import pytest

from infra.local.runner_process import runner_environment


def test_settings_of_the_runner_pass_through_the_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LANGUAGES", "python,c")
    monkeypatch.setenv("SETUP_TIMEOUT_SECS", "120")
    monkeypatch.setenv("SECRET_OF_THE_USER", "secret")
    found = runner_environment({"VISIBILITY_SECS": "60"}, "payloads", tmp_path)
    assert (found["LANGUAGES"], found["SETUP_TIMEOUT_SECS"]) == ("python,c", "120")
    assert "SECRET_OF_THE_USER" not in found
