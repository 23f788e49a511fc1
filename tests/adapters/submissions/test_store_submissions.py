from dataclasses import replace
from typing import Any

import botocore.exceptions
import pytest

from functions.aws.clients import Clients
from functions.aws.dynamodb.table import TRIES
from functions.errors import UnavailableError
from functions.ids import new_id
from functions.submissions.model import Claim, Status, idempotency_pk
from functions.submissions.store import ClaimTakenError, SubmissionStore, with_completion
from tests.adapters.aws_account import Aws
from tests.adapters.final_rows import write_final
from tests.submission_factory import EXECUTION_ID, START_MS, SUBMISSION_ID, FakeTime, completion, golden, new_submission

pytestmark = pytest.mark.answered_by("engine", "moto")

CLAIM = Claim(idempotency_pk("dev", "key"), "a" * 64)


@pytest.fixture
def store(aws: Aws, time: FakeTime) -> SubmissionStore:
    return SubmissionStore(aws.names["SubmissionsTable"], Clients.dynamodb(), time, time.sleep)


def test_every_attribute_survives_the_table(store: SubmissionStore) -> None:
    row = new_submission(
        code=b"\0\xff",
        stdin=b"",
        limits={"cpu_time_secs": 1.5, "memory_mb": 64},
        metadata={"build": "1042", "empty": ""},
        webhook_url="https://hooks.example.com/x",
        webhook_secret_box=b"box",
        idempotency_pk=CLAIM.idempotency_pk,
        redrives=2,
    )
    store.create(row, None)
    assert store.get(SUBMISSION_ID) == row
    assert store.get(new_id()) is None


def test_a_put_repeated_after_a_lost_answer_is_no_error(store: SubmissionStore) -> None:
    store.create(new_submission(), None)
    store.create(new_submission(), None)
    store.create(new_submission(submission_id=(other := new_id())), CLAIM)
    store.create(new_submission(submission_id=other), CLAIM)


def test_a_taken_key_names_its_submission_and_writes_nothing(store: SubmissionStore, aws: Aws) -> None:
    store.create(new_submission(), CLAIM)
    with pytest.raises(ClaimTakenError) as caught:
        store.create(new_submission(submission_id=new_id()), replace(CLAIM, body_sha256="b" * 64))
    assert (caught.value.submission_id, caught.value.body_sha256) == (SUBMISSION_ID, "a" * 64)
    assert len(aws.items("SubmissionsTable")) == 2


def test_a_claim_of_yesterday_is_gone_though_its_item_is_still_there(store: SubmissionStore, time: FakeTime) -> None:
    store.create(new_submission(), CLAIM)
    time.advance(86_399)
    with pytest.raises(ClaimTakenError):
        store.check_claim(CLAIM)
    time.advance(1)
    store.check_claim(CLAIM)
    later = new_submission(submission_id=new_id())
    store.create(later, CLAIM)
    assert store.get(later.submission_id) == later


def test_a_key_that_is_being_taken_all_the_time_is_unavailable(
    store: SubmissionStore, time: FakeTime, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def conflict(**_: Any) -> None:
        answer: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
        }
        raise botocore.exceptions.ClientError(answer, "TransactWriteItems")

    monkeypatch.setattr(Clients.dynamodb(), "transact_write_items", conflict)
    with pytest.raises(UnavailableError):
        store.create(new_submission(), CLAIM)
    assert len(time.slept) == TRIES - 1
    assert aws.items("SubmissionsTable") == []


def test_a_start_makes_it_running_and_due_after_its_budget(store: SubmissionStore, time: FakeTime) -> None:
    store.create(new_submission(), None)
    time.advance(5)
    second = new_id()
    assert store.mark_started(SUBMISSION_ID, second, "runner-1", "2026-11-24T12:00:00.012Z")
    row = store.get(SUBMISSION_ID)
    assert row is not None
    assert (row.status, row.execution_id, row.node_id) == (Status.RUNNING, second, "runner-1")
    assert row.due_at_ms == START_MS + 5_000 + (30 + 7 + 60) * 1_000
    assert row.started_at == "2026-11-24T12:00:00.012Z"


def test_a_start_counts_only_while_it_is_pending(store: SubmissionStore) -> None:
    assert not store.mark_started(SUBMISSION_ID, EXECUTION_ID, "runner-1", "2026-11-24T12:00:00.012Z")
    store.create(new_submission(), None)
    write_final(store, SUBMISSION_ID, completion())
    assert not store.mark_started(SUBMISSION_ID, EXECUTION_ID, "runner-2", "2026-11-24T12:00:01.000Z")
    row = store.get(SUBMISSION_ID)
    assert row is not None
    assert row.status is Status.COMPLETED


@pytest.mark.parametrize("started", [False, True], ids=["pending", "running"])
def test_a_completion_is_one_write_of_state_and_event_id(
    aws: Aws, store: SubmissionStore, time: FakeTime, *, started: bool
) -> None:
    store.create(new_submission(metadata={"build": "1042"}), None)
    if started:
        store.mark_started(SUBMISSION_ID, EXECUTION_ID, "runner-1", "2026-11-24T12:00:00.012Z")
    time.advance(1)
    row = write_final(store, SUBMISSION_ID, completion())
    assert row is not None
    assert row == store.get(SUBMISSION_ID)
    message = golden("execution_completed/v1.accepted")
    assert (row.status, row.verdict, row.integrity) == (Status.COMPLETED, "AC", "complete")
    assert (row.result, row.metrics, row.evidence) == (message["result"], message["metrics"], message["evidence"])
    assert (row.stdout, row.stderr, row.stdout_size_bytes) == (b"42\n", b"", 3)
    assert row.due_at_ms is None
    assert (row.code, row.stdin) == (None, None)
    (item,) = aws.items("SubmissionsTable")
    assert {"code", "stdin", "run_budget_ms", "wall_budget_secs"}.isdisjoint(item)


def test_a_late_completion_changes_nothing(store: SubmissionStore) -> None:
    assert write_final(store, SUBMISSION_ID, completion()) is None
    store.create(new_submission(), None)
    first = write_final(store, SUBMISSION_ID, completion())
    late = completion(result={"verdict": "IE"}, stdout=b"other", execution_id=new_id())
    assert write_final(store, SUBMISSION_ID, late) is None
    assert store.get(SUBMISSION_ID) == first


def test_a_platform_failure_keeps_the_fields_of_the_row(store: SubmissionStore) -> None:
    store.create(new_submission(), None)
    store.mark_started(SUBMISSION_ID, EXECUTION_ID, "runner-1", "2026-11-24T12:00:00.012Z")
    failure = completion(
        result={"verdict": "IE", "cause": "ie_not_run"},
        **dict.fromkeys(("metrics", "evidence", "started_at", "node_id", "execution_id", "stdout", "stderr")),
    )
    row = write_final(store, SUBMISSION_ID, failure)
    assert row is not None
    assert (row.status, row.verdict, row.metrics, row.evidence) == (Status.ERROR, "IE", None, None)
    assert (row.started_at, row.node_id) == ("2026-11-24T12:00:00.012Z", "runner-1")


def test_large_output_is_kept_by_its_key(store: SubmissionStore) -> None:
    store.create(new_submission(), None)
    key = f"outputs/{SUBMISSION_ID}/{EXECUTION_ID}/stdout"
    row = write_final(store, SUBMISSION_ID, completion(stdout=None, stdout_key=key, stdout_size_bytes=1_048_576))
    assert row is not None
    assert (row.stdout, row.stdout_key, row.stdout_size_bytes) == (None, key, 1_048_576)
    assert row.object_keys == (key,)


def test_a_final_row_is_not_due(store: SubmissionStore) -> None:
    store.create(new_submission(), None)
    write_final(store, SUBMISSION_ID, completion())
    assert store.due("DUE#1", START_MS * 2, 10) == []


def test_only_the_first_of_two_sweepers_moves_a_due_row(store: SubmissionStore) -> None:
    store.create(new_submission(), None)
    due = START_MS + 120_000
    taken = store.take(SUBMISSION_ID, due + 1, due)
    assert taken is not None
    assert (taken.submission_id, taken.due_at_ms) == (SUBMISSION_ID, due + 1)
    assert store.take(SUBMISSION_ID, due + 2, due) is None
    second = new_id()
    assert store.redrive(SUBMISSION_ID, second, due + 3, due + 1)
    assert not store.redrive(SUBMISSION_ID, new_id(), due + 4, due + 1)
    row = store.get(SUBMISSION_ID)
    assert row is not None
    assert (row.execution_id, row.redrives, row.due_at_ms, row.status) == (second, 1, due + 3, Status.PENDING)


def test_a_final_submission_is_not_redriven(store: SubmissionStore) -> None:
    store.create(new_submission(), None)
    due_at_ms = START_MS + 120_000
    assert write_final(store, SUBMISSION_ID, completion()) is not None
    assert not store.redrive(SUBMISSION_ID, new_id(), due_at_ms + 1, due_at_ms)


def test_due_rows_come_oldest_first_and_no_more_than_asked(store: SubmissionStore) -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000001" for number in range(4)]
    for number, submission_id in enumerate(ids):
        store.create(new_submission(submission_id=submission_id, due_at_ms=START_MS - number), None)
    found = store.due("DUE#1", START_MS - 1, 2)
    assert found == [(ids[3], START_MS - 3), (ids[2], START_MS - 2)]
    assert store.due("DUE#2", START_MS, 10) == []


def test_a_deletion_takes_row_and_claim(store: SubmissionStore, aws: Aws) -> None:
    row = new_submission(idempotency_pk=CLAIM.idempotency_pk)
    store.create(row, CLAIM)
    assert store.delete(row)
    assert aws.items("SubmissionsTable") == []
    assert not store.delete(row)


def test_a_running_submission_is_not_deleted(store: SubmissionStore, aws: Aws) -> None:
    claimed = new_submission(submission_id=new_id(), idempotency_pk=CLAIM.idempotency_pk)
    for row, claim in ((new_submission(), None), (claimed, CLAIM)):
        store.create(row, claim)
        store.mark_started(row.submission_id, EXECUTION_ID, "runner-1", "2026-11-24T12:00:00.012Z")
        assert not store.delete(row)
    assert len(aws.items("SubmissionsTable")) == 3


def test_a_deletion_leaves_a_claim_that_is_somebody_elses_by_now(store: SubmissionStore, time: FakeTime) -> None:
    row = new_submission(idempotency_pk=CLAIM.idempotency_pk)
    store.create(row, CLAIM)
    time.advance(86_400)
    later = new_submission(submission_id=new_id(), idempotency_pk=CLAIM.idempotency_pk)
    store.create(later, CLAIM)
    assert store.delete(row)
    assert store.get(SUBMISSION_ID) is None
    with pytest.raises(ClaimTakenError) as caught:
        store.check_claim(CLAIM)
    assert caught.value.submission_id == later.submission_id


def test_an_error_that_nobody_knows_is_passed_on(aws: Aws) -> None:
    store = SubmissionStore("no-such-table", Clients.dynamodb())
    for claim in (None, CLAIM):
        with pytest.raises(botocore.exceptions.ClientError):
            store.create(new_submission(), claim)
    with pytest.raises(botocore.exceptions.ClientError):
        write_final(store, SUBMISSION_ID, completion())
    with pytest.raises(botocore.exceptions.ClientError):
        store.delete(new_submission(idempotency_pk=CLAIM.idempotency_pk))


@pytest.mark.parametrize(
    "done",
    [
        completion(),
        completion(metrics=None, evidence=None, stdout=None, stdout_key="outputs/x", stdout_size_bytes=7),
        completion(stdout=b"\xff", stderr=b"", started_at=None),
    ],
)
def test_final_row_in_memory_is_the_row_in_the_table(store: SubmissionStore, done: Any) -> None:
    row = new_submission(code=b"print(1)", stdin=b"", metadata={"a": "b"}, asked_directly=True)
    store.create(row, None)
    assert write_final(store, SUBMISSION_ID, done) == with_completion(row, done)
    assert write_final(store, SUBMISSION_ID, done) is None


def test_a_row_that_was_deleted_stays_so(store: SubmissionStore) -> None:
    assert write_final(store, SUBMISSION_ID, completion()) is None
    assert store.get(SUBMISSION_ID) is None
