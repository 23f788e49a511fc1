"""`Env` makes each part once, on any number of threads, and again after a failure."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from functions.env import Env
from functions.settings import SettingsInvalidError


class Part:
    made = 0

    def __init__(self, env: Env) -> None:
        sleep(0.01)
        type(self).made += 1
        self.clock = env.clock


class Whole:
    def __init__(self, env: Env) -> None:
        self.part = env[Part]


class Stored:
    def __init__(self, table: str) -> None:
        self.table = table

    @classmethod
    def from_env(cls, env: Env) -> "Stored":
        return cls(env.settings.projects_table)


def test_threads_that_ask_at_once_get_one_part() -> None:
    Part.made = 0
    env, start = Env("test", ()), threading.Barrier(8)

    def ask() -> Part:
        start.wait()
        return env[Whole].part

    with ThreadPoolExecutor(8) as threads:
        parts = {asked.result() for asked in [threads.submit(ask) for _ in range(8)]}
    assert parts == {env[Part]}
    assert Part.made == 1


def test_settings_are_read_on_first_use_and_only_those_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROJECTS_TABLE", raising=False)
    env = Env("test", ("projects_table",))
    with pytest.raises(SettingsInvalidError, match="PROJECTS_TABLE is not set"):
        env[Stored]
    monkeypatch.setenv("PROJECTS_TABLE", "projects")
    assert env[Stored].table == "projects"
    with pytest.raises(AttributeError):
        _ = env.settings.quotas_table


def answer(_env: Env) -> int:
    raise LookupError("the entry point provides it")


def test_an_entry_point_provides_what_a_lower_part_asks_for() -> None:
    with pytest.raises(LookupError):
        Env("test", ())[answer]
    env = Env("test", ())
    env.provide(answer, lambda _env: 42)
    assert env[answer] == 42
