"""Clock, ids, fleet and waiting: the small pure parts of the API side."""

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.runner import RunnerHeartbeat
from events.vocabulary import Language
from functions import VERSION
from functions.aws.dynamodb.table import due_shard
from functions.clock import from_rfc3339, to_rfc3339
from functions.http import long_poll
from functions.http.long_poll import LongPoll
from functions.submissions.model import Submission, idempotency_pk
from functions.submissions.runners.fleet import health_figures, offered_languages
from tests.submission_factory import EVENTS, SUBMISSION_ID, FakeTime, completion, final_submission, new_submission

STRICT = RunnerHeartbeat.parse((EVENTS / "runner_heartbeat" / "v1.strict.json").read_text())
PERMISSIVE = RunnerHeartbeat.parse((EVENTS / "runner_heartbeat" / "v1.permissive.json").read_text())


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_a_time_survives_being_written(ms: int) -> None:
    assert from_rfc3339(to_rfc3339(ms)) == ms


def test_times_have_milliseconds_and_z() -> None:
    assert to_rfc3339(1_795_521_600_012) == "2026-11-24T12:00:00.012Z"
    assert from_rfc3339("2026-11-24T12:00:00.012999Z") == 1_795_521_600_012


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-24T12:00:00.000", "2026-13-24T12:00:00.000Z"])
def test_an_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the texts differ
        from_rfc3339(text)


def test_ids_spread_over_all_sixteen_shards() -> None:
    shards = {due_shard(SUBMISSION_ID[:-1] + digit) for digit in "0123456789abcdef"}
    assert shards == {f"DUE#{number}" for number in range(16)}


def test_a_claim_is_the_projects_own_and_hides_the_key() -> None:
    claim = idempotency_pk("dev", "my key \ud800")
    assert claim != idempotency_pk("other", "my key \ud800")
    assert "my key" not in claim


def test_only_a_platform_failure_ends_as_error() -> None:
    assert completion().status == "completed"
    assert completion(result={"verdict": "TLE"}).status == "completed"
    assert completion(result={"verdict": "IE"}).status == "error"


def test_neither_program_nor_secret_shows_in_a_repr() -> None:
    row = final_submission(code=b"source", stdin=b"input", stdout=b"output", webhook_secret_box=b"hidden")
    assert not [word for word in ("source", "input'", "output", "hidden") if word in repr(row)]


def test_without_a_runner_nothing_is_claimed() -> None:
    assert health_figures([], 4) == {
        "version": VERSION,
        "runner_versions": [],
        "enforcement_mode": "permissive",
        "cgroup_backend": None,
        "namespace_support": False,
        "network_support": False,
        "workers": 0,
        "queue_depth": 4,
        "node_id": "",
        "problems": [],
    }


def test_one_permissive_runner_makes_the_fleet_permissive() -> None:
    strict = health_figures([STRICT], 0)
    assert (strict["enforcement_mode"], strict["node_id"]) == ("strict", STRICT.node_id)
    mixed = health_figures([STRICT, PERMISSIVE], 0)
    assert mixed["enforcement_mode"] == "permissive"
    assert mixed["namespace_support"] is False
    assert mixed["workers"] == STRICT.slots + PERMISSIVE.slots


def test_during_an_upgrade_health_shows_each_version_of_the_live_runners_once() -> None:
    newer = STRICT.changed(runner_version="0.2.0")
    assert health_figures([newer, STRICT, newer], 0)["runner_versions"] == [STRICT.runner_version, "0.2.0"]


def test_languages_are_the_union_of_the_runners_in_canonical_order() -> None:
    go = STRICT.changed(languages=(Language.RUST, Language.PYTHON))
    js = STRICT.changed(languages=(Language.JAVASCRIPT,))
    assert offered_languages([go, js], ["java"]) == ("python", "javascript", "rust")
    assert offered_languages([], ["c", "python", "klingon"]) == ("python", "c")
    assert offered_languages([], []) == tuple(Language)


def test_a_runner_that_can_run_nothing_offers_nothing() -> None:
    assert offered_languages([PERMISSIVE], ["python"]) == ()


def _reads(*rows: Submission | None) -> Iterator[Submission | None]:
    yield from rows
    while True:
        yield rows[-1]


def test_waiting_ends_with_the_final_row() -> None:
    time, rows = FakeTime(), _reads(new_submission(), new_submission(), final_submission())
    seen = LongPoll(time.sleep, time.monotonic).wait(new_submission(), lambda: next(rows), attrgetter("is_final"), 28)
    assert seen == final_submission()
    assert time.slept == [0.010, 0.015, 0.0225]


def test_waiting_grows_its_steps_and_keeps_its_deadline() -> None:
    time = FakeTime()
    began = time.monotonic()
    pending = new_submission()
    assert LongPoll(time.sleep, time.monotonic).wait(pending, lambda: pending, attrgetter("is_final"), 2) == pending
    assert time.slept == sorted(time.slept[:-1]) + time.slept[-1:]
    assert max(time.slept) == 0.250
    assert time.monotonic() - began == pytest.approx(2, abs=0.01)


def test_waiting_reads_a_row_whose_version_changes_and_else_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    time, pending, reads = FakeTime(), new_submission(), list[float]()
    begun = time.monotonic()
    changed_at = begun + 3.5
    monkeypatch.setattr(long_poll, "_version", lambda pk: pk == "pk" and time.monotonic() >= changed_at)

    def read() -> Submission:
        reads.append(time.monotonic() - begun)
        return pending if time.monotonic() < changed_at else final_submission()

    seen = LongPoll(time.sleep, time.monotonic).wait(pending, read, attrgetter("is_final"), 28, "pk")
    assert seen == final_submission()
    assert reads == [pytest.approx(at, abs=0.06) for at in (0.01, 1.01, 2.01, 3.01, 3.5)]


def test_waiting_ends_when_the_row_is_deleted() -> None:
    time = FakeTime()
    assert LongPoll(time.sleep, time.monotonic).wait(new_submission(), lambda: None, attrgetter("is_final"), 28) is None


def test_a_final_row_is_not_waited_for() -> None:
    time, final = FakeTime(), final_submission()
    unread = replace(final, verdict="IE")
    assert LongPoll(time.sleep, time.monotonic).wait(final, lambda: unread, attrgetter("is_final"), 28) is final
    assert time.slept == []
