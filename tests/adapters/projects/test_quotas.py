"""Quotas as clients meet them, and where a place of a run in flight becomes free."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from functions.aws.clients import Clients
from functions.handlers import result, submit
from functions.ids import new_id
from functions.projects.model import LEAKED_AFTER_MS, Quota, Usage
from functions.submissions.model import Submission
from functions.submissions.queues import Queues
from functions.submissions.store import SubmissionStore
from tests.adapters.aws_account import Aws
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import Answer, call, event, get
from tests.adapters.openapi_check import document
from tests.adapters.pipeline import Crash, Pipeline, crash_at
from tests.adapters.quota_projects import PROGRAM, Quotas, on_time, rate, submit_with
from tests.adapters.quota_usage import whole_usage
from tests.api_routes import ROUTES
from tests.submission_factory import SUBMISSION_ID, completion, new_submission

DAY_SECS = 86_400
PLENTY = Quota(1000, 1000, 1000)
UNDIVIDED = Quota(1000, 1000, 10)


@pytest.fixture
def quotas(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Quotas:
    return on_time(aws, monkeypatch)


def fault(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "hidden"}}, "AnyOperation")


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quota", "headers", "words"),
    [
        (Quota(2, 9, 9), (2, 0, 60), ("2 runs per minute", "60 seconds")),
        (Quota(9, 2, 9), (2, 0, DAY_SECS), ("2 runs per day", f"{DAY_SECS} seconds")),
        (Quota(9, 9, 2), (2, 0, 1), ("2 unfinished runs", "1 second")),
    ],
)
def test_over_a_limit_the_answer_says_which_and_when_to_come_back(
    quotas: Quotas, quota: Quota, headers: tuple[int, int, int], words: tuple[str, ...]
) -> None:
    key = quotas.project(quota)
    assert [submit_with(key).status for _ in range(2)] == [202, 202]
    answer = submit_with(key)
    assert (answer.status, answer.json["error"]) == (429, "rate_limited")
    assert rate(answer) == headers
    assert int(answer.headers["retry-after"]) == headers[2]
    for word in ("judge", *words):
        assert word in answer.json["message"]
    assert quotas.counts() == (2, 2, 2)
    assert len(quotas.rows()) == len(quotas.aws.messages("BatchQueue")) == 2


def test_a_client_that_waits_for_retry_after_is_accepted(quotas: Quotas) -> None:
    key = quotas.project(Quota(1, 2, 9))
    quotas.time.advance(12.3)
    for status in (202, 202, 202):
        assert submit_with(key).status == status
        refused = submit_with(key)
        assert refused.status == 429
        quotas.time.advance(int(refused.headers["retry-after"]))


def test_profiles_are_counted_apart(quotas: Quotas) -> None:
    key = quotas.project(Quota(1, 1, 1))
    assert [submit_with(key, profile=name).status for name in ("judge", "agent", "judge", "agent")] == [
        *(202, 202),
        *(429, 429),
    ]
    assert "agent" in submit_with(key, profile="agent").json["message"]


def test_projects_are_counted_apart(quotas: Quotas) -> None:
    keys = [quotas.project(Quota(1, 1, 1), name) for name in ("p", "q")]
    assert [submit_with(key).status for key in (*keys, *keys)] == [202, 202, 429, 429]


@pytest.mark.parametrize(
    ("headers", "source_ip"),
    [
        ({"X-Forwarded-For": "198.51.100.{n}"}, "192.0.2.1"),
        ({"Forwarded": "for=198.51.100.{n};host=other{n}.example"}, "192.0.2.1"),
        ({"X-Real-IP": "198.51.100.{n}", "True-Client-IP": "198.51.100.{n}"}, "192.0.2.1"),
        ({"X-Forwarded-Host": "h{n}", "Host": "h{n}", "Via": "1.1 h{n}", "User-Agent": "agent {n}"}, "192.0.2.1"),
        ({"X-Project": "q", "X-Project-Id": "q", "X-Admin-Key": "admin_local_development_only"}, "192.0.2.1"),
        ({"Authorization": "Bearer {n}", "Cookie": "session={n}", "Idempotency-Key": "key {n}"}, "192.0.2.1"),
        ({"RateLimit-Limit": "1000", "RateLimit-Remaining": "1000"}, "192.0.2.1"),
        ({}, "198.51.100.{n}"),
    ],
)
def test_nothing_that_a_client_sends_makes_it_another_project(
    quotas: Quotas, headers: dict[str, str], source_ip: str
) -> None:
    key, answers = quotas.project(Quota(2, 9, 9)), []
    for number in range(5):
        spoofed = {name: text.format(n=number) for name, text in headers.items()}
        made = event("POST", "/api/submit", headers=spoofed, body=json.dumps(PROGRAM))
        # The gateway gives names in lower case; no spelling may count as another key.
        made["headers"] |= {
            ("X-API-Key", "x-api-key", "X-Api-KEY")[number % 3]: key,
            "content-type": "application/json",
        }
        made["requestContext"]["http"]["sourceIp"] = source_ip.format(n=number)
        answers.append(call(made).status)
    assert answers == [202, 202, 429, 429, 429]


@pytest.mark.parametrize("spelling", ["{key} ", " {key}", "{key},{key}", "{key}\t", "{key}\0", "{upper}"])
def test_a_key_in_another_spelling_opens_nothing(quotas: Quotas, spelling: str) -> None:
    key = quotas.project(PLENTY)
    answer = submit_with(spelling.format(key=key, upper=key.upper()))
    assert answer.status == 401
    assert not [name for name in answer.headers if name.startswith("ratelimit-")]
    assert quotas.aws.items("QuotasTable") == []


# --- what is free -----------------------------------------------------------------------------------------------------


def test_a_refused_submission_charges_nothing(quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> None:
    key = quotas.project(PLENTY, profiles=("judge",))
    assert submit_with(key, profile="agent").status == 403
    assert submit_with(key, language="cobol").status == 400
    assert submit_with(key, code="").status == 422
    assert submit_with("unknown").status == 401
    monkeypatch.setattr(submit.ENV[Queues], "recent_depth", lambda _: 10**9)
    assert submit_with(key).status == 503
    assert quotas.aws.items("QuotasTable") == []


def test_repeats_with_the_same_key_are_free_at_any_limit(quotas: Quotas) -> None:
    key = quotas.project(Quota(1, 1, 1))
    first = submit_with(key, "key")
    repeats = [submit_with(key, "key") for _ in range(5)]
    assert {(answer.status, answer.json["id"]) for answer in repeats} == {(202, first.json["id"])}
    assert submit_with(key, "key", stdin="x").status == 409
    assert quotas.counts() == (1, 1, 1)
    assert submit_with(key).status == 429


def test_an_answer_of_429_leaves_no_claim(quotas: Quotas) -> None:
    key = quotas.project(Quota(1, 9, 9))
    submit_with(key)
    assert submit_with(key, "key").status == 429
    assert len(quotas.aws.items("SubmissionsTable")) == 1
    quotas.time.advance(60)
    assert submit_with(key, "key", stdin="another body").status == 202


def repeat_after_look(
    quotas: Quotas, key: str, monkeypatch: pytest.MonkeyPatch, *, ends: bool = False
) -> tuple[Answer, Answer]:
    """Two requests with one key: the first is done whole after the second has looked for the key. Returns both."""
    store, first = submit.ENV[SubmissionStore], []
    look = store.check_claim

    def look_then_lose(claim: Any) -> None:
        monkeypatch.setattr(store, "check_claim", look)
        look(claim)
        first.append(submit_with(key, "key"))
        if ends:
            final = write_final(store, first[0].json["id"], completion())
            assert final is not None
            quotas.store.release(final.quota_claim)

    monkeypatch.setattr(store, "check_claim", look_then_lose)
    second = submit_with(key, "key")
    return first[0], second


@pytest.mark.parametrize("quota", [Quota(1, 1, 1), Quota(2, 2, 2), PLENTY])
@pytest.mark.parametrize("ends", [False, True])
def test_a_repeat_that_races_is_free_too(
    quotas: Quotas, monkeypatch: pytest.MonkeyPatch, quota: Quota, *, ends: bool
) -> None:
    key = quotas.project(quota)
    first, second = repeat_after_look(quotas, key, monkeypatch, ends=ends)
    assert (first.status, second.status) == (202, 200 if ends else 202)
    assert first.json["id"] == second.json["id"]
    assert quotas.counts() == (1, 1, 0 if ends else 1)


def test_a_request_waits_for_the_row_of_one_with_the_same_key(quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> None:
    key, store = quotas.project(Quota(1, 1, 1)), submit.ENV[SubmissionStore]
    create, second = store.create, []

    def create_late(*arguments: Any) -> None:
        monkeypatch.setattr(store, "create", create)
        # Before its row is there, another one comes, which is through only when it is.
        monkeypatch.setattr(quotas.time, "sleep", lambda _: create(*arguments))
        second.append(submit_with(key, "key"))

    monkeypatch.setattr(store, "create", create_late)
    first = submit_with(key, "key")
    assert (first.status, second[0].status, second[0].json["id"]) == (202, 202, first.json["id"])
    assert quotas.counts() == (1, 1, 1)


# --- what comes to nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("idempotency_key", "client", "call_name"),
    [(None, "dynamodb", "put_item"), ("key", "dynamodb", "transact_write_items"), ("key", "s3", "put_object")],
)
def test_without_a_row_the_quota_is_given_back(
    quotas: Quotas, monkeypatch: pytest.MonkeyPatch, idempotency_key: str | None, client: str, call_name: str
) -> None:
    key = quotas.project(Quota(1, 1, 1))

    def fail(**_: Any) -> None:
        raise fault("ThrottlingException")

    with monkeypatch.context() as patched:
        patched.setattr(quotas.aws.client(client), call_name, fail)
        assert submit_with(key, idempotency_key, stdin="x" * 200_000).status == 503
    assert quotas.counts() == (0, 0, 0)
    assert submit_with(key, idempotency_key, stdin="x" * 200_000).status == 202


def test_a_row_whose_answer_was_lost_counts(quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> None:
    key, client = quotas.project(Quota(1, 1, 1)), Clients.dynamodb()
    put = client.put_item

    def lose_answer(**arguments: Any) -> None:
        put(**arguments)
        raise ReadTimeoutError(endpoint_url="hidden")

    with monkeypatch.context() as patched:
        patched.setattr(client, "put_item", lose_answer)
        assert submit_with(key).status == 503
    assert quotas.counts() == (1, 1, 1)
    assert len(quotas.rows()) == 1


def test_without_its_table_nothing_is_accepted(quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> None:
    key = quotas.project(PLENTY)

    def fail(**_: Any) -> None:
        raise fault("ThrottlingException")

    with monkeypatch.context() as patched:
        patched.setattr(Clients.dynamodb(), "update_item", fail)
        answer = submit_with(key)
    assert (answer.status, answer.json["error"]) == (503, "unavailable")
    assert quotas.rows() == []


# --- where a place becomes free ---------------------------------------------------------------------------------------


def end_by_record(pipeline: Pipeline, row: Submission) -> None:
    pipeline.finish(row)


def end_unreadable(pipeline: Pipeline, row: Submission) -> None:
    message = json.loads(pipeline.completed(row))
    assert pipeline.dead_letters(json.dumps(message | {"result": None})) == []


def end_by_dead_letter(pipeline: Pipeline, row: Submission) -> None:
    pipeline.submissions.mark_started(row.submission_id, row.execution_id, "runner", row.created_at)
    text = json.dumps({"type": "execution_requested", "submission_id": row.submission_id})
    assert pipeline.dead_letters(text) == []


def end_by_age(pipeline: Pipeline, row: Submission) -> None:
    pipeline.sweep(after_secs=6 * 3600 + 1)


def end_by_second_overrun(pipeline: Pipeline, row: Submission) -> None:
    pipeline.submissions.mark_started(row.submission_id, row.execution_id, "node", row.created_at)
    for _ in range(2):
        pipeline.sweep(after_secs=200)


ENDINGS = [end_by_record, end_unreadable, end_by_dead_letter, end_by_age, end_by_second_overrun]


def in_flight(pipeline: Pipeline) -> int:
    return whole_usage(pipeline.aws, "dev").in_flight


def accepted(pipeline: Pipeline, quota: Quota, **changes: Any) -> Submission:
    values = {"submission_id": new_id()} | changes
    charged = pipeline.quotas.charge(new_submission(**values).quota_claim, quota)
    assert (charged.claim.shard is not None) == (quota.shards > 1)
    return pipeline.submit(**values, quota_shard=charged.claim.shard)


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("webhook_url", [None, "https://hooks.example.com/"])
@pytest.mark.parametrize("quota", [UNDIVIDED, PLENTY])
def test_every_end_of_a_run_releases_it(
    pipeline: Pipeline, end: Callable[[Pipeline, Submission], None], webhook_url: str | None, quota: Quota
) -> None:
    row = accepted(pipeline, quota, webhook_url=webhook_url)
    end(pipeline, row)
    assert pipeline.row(row).is_final
    assert in_flight(pipeline) == 0


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("failpoint", ["complete.before_write", "complete.after_write", "complete.after_hint"])
@pytest.mark.parametrize("quota", [UNDIVIDED, PLENTY])
def test_a_crash_on_the_way_to_the_end_frees_it_later(
    pipeline: Pipeline, end: Callable[[Pipeline, Submission], None], failpoint: str, quota: Quota
) -> None:
    row = accepted(pipeline, quota)
    other = accepted(pipeline, quota)
    pipeline.submissions.take(other.submission_id, 2**52, other.due_at_ms or 0)  # not this test's
    with crash_at(failpoint), pytest.raises(Crash):
        end(pipeline, row)
    for _ in range(3):  # the end comes again, and the sweeper runs
        pipeline.time.advance(300)
        end(pipeline, row)
        pipeline.sweep()
    assert pipeline.row(row).is_final
    assert in_flight(pipeline) == 1
    pipeline.quotas.release(other.quota_claim)
    assert in_flight(pipeline) == 0


def test_a_deleted_run_is_no_longer_in_flight(quotas: Quotas) -> None:
    key = quotas.project(Quota(9, 9, 1))
    for idempotency_key in (None, "key"):
        first = submit_with(key, idempotency_key).json["id"]
        assert submit_with(key).status == 429
        assert get(key, f"/api/result/{first}", method="DELETE").status == 200
        assert quotas.counts()[2] == 0
    assert submit_with(key, "key").status == 202


def test_deleting_a_final_run_that_was_not_released_releases_it(quotas: Quotas) -> None:
    key = quotas.project(Quota(9, 9, 1))
    first = submit_with(key).json["id"]
    write_final(submit.ENV[SubmissionStore], first, completion())
    assert get(key, f"/api/result/{first}", method="DELETE").status == 200
    assert quotas.counts() == (1, 1, 0)


# --- what a crash leaves behind ---------------------------------------------------------------------------------------


def test_an_in_flight_entry_without_a_row_is_released_at_a_refusal(quotas: Quotas) -> None:
    key = quotas.project(Quota(9, 9, 1))
    with crash_at("submit.after_take"), pytest.raises(Crash):
        submit_with(key)
    assert quotas.counts() == (1, 1, 1)
    assert quotas.rows() == []
    assert submit_with(key).status == 429  # its row may be on its way
    quotas.time.advance(LEAKED_AFTER_MS / 1000)
    assert submit_with(key).status == 202
    assert quotas.counts()[2] == 1
    quotas.time.advance(2 * LEAKED_AFTER_MS / 1000)
    assert submit_with(key).status == 429  # this one has a row


def test_a_final_run_that_was_not_released_is_found_when_the_quota_is_full(quotas: Quotas) -> None:
    key = quotas.project(Quota(9, 9, 2))
    ids = [submit_with(key, name).json["id"] for name in ("a", "b")]
    assert submit_with(key).status == 429
    write_final(submit.ENV[SubmissionStore], ids[0], completion())
    quotas.time.advance(1)
    assert submit_with(key).status == 202
    assert submit_with(key).status == 429


def test_repeated_requests_on_a_full_quota_cause_few_reads(quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> None:
    key = quotas.project(Quota(99, 99, 3))
    for _ in range(3):
        submit_with(key)
    read: list[str] = []
    store = submit.ENV[SubmissionStore]
    found = store.get

    def note(submission_id: str) -> Submission | None:
        read.append(submission_id)
        return found(submission_id)

    monkeypatch.setattr(store, "get", note)
    assert {submit_with(key).status for _ in range(20)} == {429}
    assert sorted(read) == sorted(quotas.rows())


def test_a_repeat_of_a_request_that_died_overtakes_it(quotas: Quotas) -> None:
    key = quotas.project(Quota(9, 9, 1))
    with crash_at("submit.after_take"), pytest.raises(Crash):
        submit_with(key, "key")
    again = submit_with(key, "key")  # waits a little, for the other one may live
    assert again.status == 202
    assert 4.5 < sum(quotas.time.slept) < 6
    assert quotas.counts() == (2, 2, 1)
    assert submit_with(key, "key").json["id"] == again.json["id"]


def test_an_overtaken_submission_that_lives_is_the_only_one_and_counts(
    quotas: Quotas, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, store = quotas.project(PLENTY), submit.ENV[SubmissionStore]
    create, second = store.create, []

    def create_late(*arguments: Any) -> None:
        def create_after_overtaking(*later: Any) -> None:
            monkeypatch.setattr(store, "create", create)
            create(*arguments)  # the first one was only slow
            create(*later)

        monkeypatch.setattr(store, "create", create_after_overtaking)
        quotas.time.advance(3)
        second.append(submit_with(key, "key"))

    monkeypatch.setattr(store, "create", create_late)
    first = submit_with(key, "key")
    assert (first.status, second[0].status, first.json["id"]) == (202, 202, second[0].json["id"])
    assert len(quotas.rows()) == 1
    assert quotas.counts() == (2, 2, 1)  # a place too long is found later; one too few would be somebody's gain


# --- headers ----------------------------------------------------------------------------------------------------------


def keyed_operations() -> list[tuple[str, str]]:
    paths = document()["paths"]
    return [
        (method, path)
        for path, methods in ROUTES.items()
        for method in methods
        if {"ApiKey": []} in paths[path][method.lower()]["security"]
    ]


def ask(method: str, path: str, key: str | None) -> Answer:
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key is not None else {})
    body = json.dumps(PROGRAM) if method in {"POST", "PATCH", "PUT"} else None
    return call(event(method, path.replace("{id}", SUBMISSION_ID), headers=headers, body=body))


def test_there_are_keyed_operations() -> None:
    assert len(keyed_operations()) >= 6


@pytest.mark.parametrize(("method", "path"), keyed_operations())
def test_every_answer_to_a_valid_key_shows_the_remaining_quota(quotas: Quotas, method: str, path: str) -> None:
    key = quotas.project(Quota(60, 1000, 10))
    submit_with(key)
    quotas.time.advance(15)
    answer = ask(method, path, key)
    assert answer.status < 500
    assert rate(answer) == (60, 58 if path == "/api/submit" else 59, 45)
    for wrong in (None, "", "rb_live_unknown"):
        refused = ask(method, path, wrong)
        assert refused.status == 401
        assert not [name for name in refused.headers if name.startswith("ratelimit-")]


@pytest.mark.parametrize("path", [path for path, methods in ROUTES.items() if "GET" in methods])
def test_answers_that_need_no_key_say_nothing_of_quotas(quotas: Quotas, path: str) -> None:
    key = quotas.project(PLENTY)
    if ("GET", path) not in keyed_operations():
        assert not [name for name in ask("GET", path, key).headers if name.startswith("ratelimit-")]


def test_headers_of_a_submission_are_those_of_its_profile_and_of_its_own_count(quotas: Quotas) -> None:
    key = quotas.project(Quota(5, 1000, 10))
    for name in ("judge", "judge", "agent"):
        last = submit_with(key, profile=name)
    assert rate(last) == (5, 4, 60)
    assert rate(submit_with(key)) == (5, 2, 60)
    assert rate(get(key, "/api/results")) == (5, 2, 60)


def test_refused_and_repeated_submissions_have_headers(quotas: Quotas) -> None:
    key = quotas.project(Quota(5, 1000, 10), profiles=("judge",))
    submit_with(key, "key")
    answers = [
        submit_with(key, "key"),
        submit_with(key, "key", stdin="x"),
        submit_with(key, profile="agent"),
        submit_with(key, language="cobol"),
        submit_with(key, code=""),
    ]
    assert [answer.status for answer in answers] == [202, 409, 403, 400, 422]
    assert {rate(answer) for answer in answers} == {(5, 4, 60)}


def test_a_reset_counts_from_the_answer_not_from_the_acceptance(
    quotas: Quotas, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, queues = quotas.project(Quota(5, 1000, 10)), submit.ENV[Queues]
    send = queues.send_execution

    def slowly(*arguments: Any) -> None:
        send(*arguments)
        quotas.time.advance(70)

    monkeypatch.setattr(queues, "send_execution", slowly)
    assert rate(submit_with(key)) == (5, 5, 50)


def test_polling_reads_the_quota_once_a_second(quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> None:
    key, reads = quotas.project(Quota(5, 1000, 10)), []
    usage = quotas.store.usage

    def note(project_id: str, profile: str, quota: Quota) -> Usage:
        reads.append((project_id, profile))
        return usage(project_id, profile, quota)

    monkeypatch.setattr(quotas.store, "usage", note)
    for _ in range(5):
        for _ in range(10):
            get(key, "/api/results")
        quotas.time.advance(1)
    assert reads == [("p", "judge")] * 5


def test_without_the_table_answers_have_no_headers_and_are_answers_all_the_same(
    quotas: Quotas, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, tried = quotas.project(PLENTY), []

    def fail(*of: str) -> None:
        tried.append(of)
        raise fault("AccessDeniedException")

    with monkeypatch.context() as patched:
        patched.setattr(quotas.store, "usage", fail)
        made = event("GET", "/api/results", headers={"X-API-Key": key})
        answers = [result.handler(made, None) for _ in range(3)]
    assert {answer["statusCode"] for answer in answers} == {200}
    assert not [name for answer in answers for name in answer["headers"] if name.startswith("ratelimit-")]
    assert len(tried) == 1
    quotas.time.advance(1)
    assert rate(get(key, "/api/results"))[0] == 1000
