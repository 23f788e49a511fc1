import pytest

from functions.aws.clients import Clients
from functions.clock import to_rfc3339
from functions.submissions import list_store as listing
from functions.submissions.list_store import SubmissionList
from functions.submissions.model import Status, Submission
from functions.submissions.rows import created_key
from functions.submissions.store import SubmissionStore
from tests.adapters.aws_account import Aws
from tests.adapters.final_rows import write_final
from tests.submission_factory import START_MS, FakeTime, completion, new_submission

pytestmark = pytest.mark.answered_by("engine", "moto")


def submission_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def store(aws: Aws, time: FakeTime) -> SubmissionStore:
    return SubmissionStore(aws.names["SubmissionsTable"], Clients.dynamodb(), time)


@pytest.fixture
def listed(aws: Aws, time: FakeTime) -> SubmissionList:
    return SubmissionList(aws.names["SubmissionsTable"], Clients.dynamodb(), time)


def put(store: SubmissionStore, number: int, **changes: object) -> Submission:
    row = new_submission(
        submission_id=submission_id(number), created_at=to_rfc3339(START_MS + number * 1_000), **changes
    )
    store.create(row, None)
    return row


def test_a_project_sees_its_own_newest_first(store: SubmissionStore, listed: SubmissionList) -> None:
    for number in range(3):
        put(store, number)
    put(store, 9, project_id="other")
    page = listed.page("dev", limit=10)
    assert [row.submission_id for row in page.rows] == [submission_id(number) for number in (2, 1, 0)]
    assert page.next_created_key is None


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_pages_meet_without_gap_or_repeat(store: SubmissionStore, listed: SubmissionList, limit: int) -> None:
    for number in range(5):
        put(store, number)
    seen, after = [], None
    while True:
        page = listed.page("dev", limit=limit, after=after)
        assert len(page.rows) <= limit
        seen += [row.submission_id for row in page.rows]
        after = page.next_created_key
        if after is None:
            break
    assert seen == [submission_id(number) for number in (4, 3, 2, 1, 0)]


def test_a_cursor_leads_into_no_other_project(store: SubmissionStore, listed: SubmissionList) -> None:
    foreign = put(store, 5, project_id="other")
    put(store, 6, project_id="other")
    own = put(store, 4)
    page = listed.page("dev", limit=10, after=created_key(foreign.created_at, foreign.submission_id))
    assert [row.submission_id for row in page.rows] == [own.submission_id]


def test_filters_join(store: SubmissionStore, listed: SubmissionList) -> None:
    put(store, 0)
    put(store, 1, language="c")
    put(store, 2)
    write_final(store, submission_id(2), completion())

    def numbers(**filters: str) -> list[int]:
        return [int(row.submission_id[:8], 16) for row in listed.page("dev", limit=10, filters=filters).rows]

    assert numbers(language="python") == [2, 0]
    assert numbers(status="pending") == [1, 0]
    assert numbers(verdict="AC", status="completed", language="python") == [2]
    assert numbers(verdict="AC", language="c") == []


def test_a_finished_row_is_listed_with_its_result(store: SubmissionStore, listed: SubmissionList) -> None:
    put(store, 0, metadata={"build": "1042"})
    done = write_final(store, submission_id(0), completion())
    (row,) = listed.page("dev", limit=1).rows
    assert done is not None
    assert (row.status, row.verdict, row.result, row.metrics) == (Status.COMPLETED, "AC", done.result, done.metrics)
    assert (row.metadata, row.ttl, row.completed_at) == (done.metadata, done.ttl, done.completed_at)
    assert (row.code, row.stdout, row.evidence) == (None, None, None)


def test_what_is_past_its_retention_is_not_listed(
    store: SubmissionStore, listed: SubmissionList, time: FakeTime
) -> None:
    put(store, 0)
    time.advance(30 * 86_400)
    assert listed.page("dev", limit=10).rows == ()


def test_a_rare_filter_reads_a_bounded_number_and_goes_on(
    store: SubmissionStore, listed: SubmissionList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_ITEMS_PER_QUERY", 1)
    for number in range(8):
        put(store, number, language="c" if number == 0 else "python")
    first = listed.page("dev", limit=10, filters={"language": "c"})
    assert first.rows == ()
    assert first.next_created_key is not None
    second = listed.page("dev", limit=10, filters={"language": "c"}, after=first.next_created_key)
    assert [row.submission_id for row in second.rows] == [submission_id(0)]
    assert second.next_created_key is None
