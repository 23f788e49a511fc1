import pytest

from functions.aws.clients import Clients
from functions.aws.dynamodb.table import Page, bounds, merge
from functions.clock import to_rfc3339
from functions.submissions.model import Kind, Status, Submission
from functions.submissions.results import list_store as listing
from functions.submissions.results.list_store import ListFilter, SubmissionList
from functions.submissions.store import SubmissionStore, created_key
from tests.adapters.aws_account import Aws
from tests.adapters.final_rows import write_final
from tests.submission_factory import START_MS, FakeTime, completion, new_submission

pytestmark = pytest.mark.answered_by("engine", "moto")


def submission_id(number: int) -> str:
    """An id whose row lies in another shard than that of the number before."""
    return f"{number:08x}-0000-4000-8000-00000000000{number % 16:x}"


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


def test_a_list_has_one_kind_of_submissions(store: SubmissionStore, listed: SubmissionList) -> None:
    judged, run, final = (put(store, 0, summary={"kind": "judge", "cases": 2}), put(store, 1), put(store, 2))
    write_final(store, final.submission_id, completion(stdout=b'{"kind":"judge"'))
    kinds = {
        kind: {row.submission_id for row in listed.page("dev", limit=10, only=ListFilter(kind=kind)).rows}
        for kind in (Kind.RUN, Kind.JUDGE)
    }
    assert kinds == {Kind.JUDGE: {judged.submission_id}, Kind.RUN: {run.submission_id, final.submission_id}}


def test_a_search_goes_on_behind_the_rows_that_it_read(
    store: SubmissionStore, listed: SubmissionList, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        put(store, number, metadata={"team": "red" if number in {0, 1, 6} else "blue"})
    put(store, 9, project_id="other", metadata={"team": "red"})
    monkeypatch.setattr(listing, "SEARCHED_MAX", 4)
    found, read, after = [], [], None
    for _ in range(3):
        page, count = listed.search("dev", limit=1, after=after, only=ListFilter(text="red"))
        found += [row.submission_id for row in page.rows]
        read.append(count)
        after = page.next_created_key
    assert found == [submission_id(number) for number in (6, 1, 0)]
    assert (read, after) == ([4, 3, 1], None)


def test_a_list_keeps_to_times_and_metadata(store: SubmissionStore, listed: SubmissionList) -> None:
    rows = [put(store, number, metadata={"a.b #x": str(number % 2)}) for number in range(6)]
    only = ListFilter(since=rows[1].created_at, until=rows[5].created_at, metadata=("a.b #x", "1"))
    assert [row.submission_id for row in listed.page("dev", limit=9, only=only).rows] == [
        rows[3].submission_id,
        rows[1].submission_id,
    ]
    assert listed.page("dev", limit=9, only=ListFilter(since=rows[3].created_at, until=rows[2].created_at)).rows == ()


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


@pytest.mark.answered_by("engine")
@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_rows_of_all_shards_are_merged(store: SubmissionStore, listed: SubmissionList, limit: int) -> None:
    for number in range(20):
        put(store, number)
    seen: list[int] = []
    after = None
    for _ in range(30):
        page = listed.page("dev", limit=limit, after=after)
        assert len(page.rows) == min(limit, 20 - len(seen))
        seen += [int(row.submission_id[:8], 16) for row in page.rows]
        after = page.next_created_key
        if after is None:
            break
    assert seen == list(range(19, -1, -1))


def test_rows_are_spread_over_eight_partitions(aws: Aws, store: SubmissionStore) -> None:
    for number in range(16):
        put(store, number)
    items = aws.items("SubmissionsTable")
    assert {item["list_shard"]["S"] for item in items} == {f"dev#{number}" for number in range(8)}


@pytest.mark.parametrize(
    ("pages", "limit", "keys", "following"),
    [
        ([([9, 7], None), ([8], None)], 3, [9, 8, 7], None),
        ([([9, 7], None), ([8], None)], 2, [9, 8], 8),
        ([([9, 7], 7), ([8, 2], None)], 5, [9, 8, 7], 7),  # the first partition may have a 3
        ([([], 6), ([8, 2], None)], 5, [8], 6),  # nothing matched in the part that was read
        ([([9, 7], 7), ([5, 4], 4)], 5, [9, 7], 7),
        ([([], None)], 5, [], None),
    ],
)
def test_a_merge_shows_no_row_before_all_newer_ones(
    pages: list[tuple[list[int], int | None]], limit: int, keys: list[int], following: int | None
) -> None:
    def row(number: int) -> Submission:
        at = to_rfc3339(START_MS + number * 1_000)
        return new_submission(submission_id=submission_id(number), created_at=at)

    def position(number: int) -> str:
        return created_key(row(number).created_at, submission_id(number))

    given = [Page(tuple(map(row, rows)), None if end is None else position(end)) for rows, end in pages]
    merged = merge(given, limit, lambda row: created_key(row.created_at, row.submission_id))
    assert merged.rows == tuple(map(row, keys))
    assert merged.next_created_key == (None if following is None else position(following))


@pytest.mark.parametrize(
    ("after", "since", "ascending", "inside", "outside"),
    [
        (None, None, False, ["2026-01-01#a", "2026-01-01#f"], []),
        ("2026-01-01#b", None, False, ["2025-01-01#f", "2026-01-01#a"], ["2026-01-01#b", "2026-01-01#c"]),
        ("2026-01-01#b", None, True, ["2026-01-01#c", "2026-02-01#a"], ["2026-01-01#a", "2026-01-01#b"]),
        ("2026-01-01#b", "2026-01-01", False, ["2026-01-01#a"], ["2025-12-31#f", "2026-01-01#b"]),
        ("2026-01-01#b", "2026-02-01", True, ["2026-02-01#a"], ["2026-01-01#c"]),
        ("2026-01-01#b", "2026-02-01", False, [], ["2026-01-01#a", "2026-02-01#a"]),  # another since than before
    ],
)
def test_bounds_hold_exactly_the_keys_of_the_next_page(
    after: str | None, since: str | None, *, ascending: bool, inside: list[str], outside: list[str]
) -> None:
    first, last = bounds(after, since, ascending=ascending)
    assert first <= last
    assert [key for key in inside + outside if first <= key <= last] == inside


def test_a_merge_of_oldest_first_shows_no_row_before_all_older_ones() -> None:
    pages = [Page(("1", "4"), "4"), Page(("2", "5"), None)]
    assert merge(pages, 9, str, ascending=True) == Page(("1", "2", "4"), "4")
    assert merge(pages, 2, str, ascending=True) == Page(("1", "2"), "2")


def test_a_cursor_leads_into_no_other_project(store: SubmissionStore, listed: SubmissionList) -> None:
    foreign = put(store, 5, project_id="other")
    put(store, 6, project_id="other")
    own = put(store, 4)
    page = listed.page("dev", limit=10, after=created_key(foreign.created_at, foreign.submission_id))
    assert [row.submission_id for row in page.rows] == [own.submission_id]


def test_a_list_has_only_rows_that_pass_every_filter(store: SubmissionStore, listed: SubmissionList) -> None:
    put(store, 0)
    put(store, 1, language="c")
    put(store, 2)
    write_final(store, submission_id(2), completion())

    def numbers(**filters: str) -> list[int]:
        return [int(row.submission_id[:8], 16) for row in listed.page("dev", limit=10, only=ListFilter(filters)).rows]

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


def test_an_expired_submission_is_not_listed(store: SubmissionStore, listed: SubmissionList, time: FakeTime) -> None:
    put(store, 0)
    time.advance(30 * 86_400)
    assert listed.page("dev", limit=10).rows == ()


def test_a_rare_filter_reads_a_bounded_number_and_goes_on(
    store: SubmissionStore, listed: SubmissionList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_ITEMS_PER_FILTERED_QUERY", 1)
    for number in range(8):
        put(store, number * 16, language="c" if number == 0 else "python")  # all in one shard
    first = listed.page("dev", limit=10, only=ListFilter({"language": "c"}))
    assert first.rows == ()
    assert first.next_created_key is not None
    second = listed.page("dev", limit=10, only=ListFilter({"language": "c"}), after=first.next_created_key)
    assert [row.submission_id for row in second.rows] == [submission_id(0)]
    assert second.next_created_key is None
