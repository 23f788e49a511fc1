"""One trace a run, at a collector; nothing without one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto_json.trace.v1.trace import Span, Status

from functions import otlp
from functions.clock import MS_PER_SEC, now_ms
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.collector import Collector
from tests.adapters.http_calls import post
from tests.adapters.pipeline import Pipeline
from tests.adapters.runner_system import Direct
from tests.adapters.submissions.direct_wiring import use
from tests.runner_doubles import RecordedSlot
from tests.until import until

TRACE_ID, CLIENT_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE = f"00-{TRACE_ID}-{CLIENT_SPAN}-01"
PROGRAM = {"language": "c", "code": "int main(void) { return 0; }"}
STEPS = {"accepted", "submission", "queued", "set-up", "compile", "run", "recorded"}


@pytest.fixture
def collector(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setattr(otlp, "_quiet_until", 0.0)
    with Collector().running() as running:
        aws.monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url + "/")
        yield running


def _id(raw: bytes | None) -> str:
    return (raw or b"").hex()


def _text(span: Any, key: str) -> str | None:
    return next((pair.value.string_value for pair in span.attributes if pair.key == key), None)


def _check_run(collector: Collector, submission_id: str, service: str) -> None:
    """Every span of the run is in the client's trace, below the span of the submission, and none overlaps the next."""
    assert {_id(span.trace_id) for _, span in collector.spans} == {TRACE_ID}
    (root,) = collector.named("submission")
    assert (_id(root.parent_span_id), _text(root, "rustbox.submission_id")) == (CLIENT_SPAN, submission_id)
    others = [span for _, span in collector.spans if span is not root]
    assert {_id(span.parent_span_id) for span in others} == {_id(root.span_id)}
    assert len({_id(span.span_id) for _, span in collector.spans}) == len(collector.spans)
    services = {span.name: name for name, span in collector.spans}
    steps = [name for name in ("set-up", "compile", "run") if name in services]
    assert {services[name] for name in steps} == {"rustbox-runner"}
    assert {services[name] for name in ("submission", "queued", "recorded")} == {f"rustbox-{service}"}
    assert services["accepted"] == "rustbox-submit"
    ordered = [collector.named(name)[0] for name in ("queued", *steps)]
    assert ordered[0].start_time_unix_nano == root.start_time_unix_nano
    assert all(one.end_time_unix_nano == two.start_time_unix_nano for one, two in pairwise(ordered))


def test_a_queued_run_with_a_retried_webhook_is_one_trace_of_the_client(
    system: Direct, project_key: str, pipeline: Pipeline, collector: Collector
) -> None:
    pipeline.endpoint(project_id=PROJECT_ID)
    system.start(RecordedSlot)
    answer = post(project_key, PROGRAM, traceparent=TRACE)
    assert [span.name for _, span in collector.spans] == ["accepted"]
    for message in until(lambda: system.of_type("execution_completed")):
        message["metrics"] |= {"setup_ms": 0.9, "compile_ms": 31.5, "run_ms": 11.0}  # a double of a slot runs nothing
        assert pipeline.record(json.dumps(message)) == []
    assert {span.name for _, span in collector.spans} == STEPS
    pipeline.receiver.answers = [(500, {}, b""), (200, {}, b"")]
    pipeline.time.ms = now_ms() + MS_PER_SEC
    hints = pipeline.hints()
    for _ in range(2):
        assert pipeline.webhook(*hints) == []
        pipeline.time.ms += 10 * MS_PER_SEC
    _check_run(collector, answer.json["id"], "record")
    failed, delivered = collector.named("attempt")
    assert [span.kind for span in (failed, delivered)] == [Span.SpanKind.SPAN_KIND_CLIENT] * 2
    assert failed.status is not None
    assert failed.status.code == Status.StatusCode.STATUS_CODE_ERROR
    assert [_text(span, "server.address") for span in (failed, delivered)] == ["127.0.0.1"] * 2
    attributes = [pair for span in (failed, delivered) for pair in span.attributes]
    assert [pair.value.int_value for pair in attributes if pair.key == "http.response.status_code"] == [500, 200]


def test_a_direct_run_exports_its_trace_with_its_answer(
    system: Direct, aws: Aws, project_key: str, collector: Collector
) -> None:
    aws.monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20secret, x-team=judging")
    system.start(RecordedSlot)
    use(aws, system.port)
    answer = post(project_key, PROGRAM, query={"wait": "true"}, traceparent=TRACE)
    assert answer.status == 200
    assert {span.name for _, span in collector.spans} == STEPS - {"run"}  # a double of a slot runs nothing
    (headers,) = collector.requests  # one request for all spans
    assert (headers["Api-Key"], headers["X-Team"]) == ("a secret", "judging")
    _check_run(collector, answer.json["id"], "submit")


def test_without_a_clients_trace_the_id_of_the_submission_is_that_of_the_trace(
    project_key: str, collector: Collector
) -> None:
    answer = post(project_key, PROGRAM)
    ((_, span),) = collector.spans
    assert _id(span.trace_id) == answer.json["id"].replace("-", "")


def test_a_trace_that_the_client_does_not_sample_is_not_exported(project_key: str, collector: Collector) -> None:
    assert post(project_key, PROGRAM, traceparent=TRACE[:-1] + "0").status == 202
    assert collector.requests == []


@pytest.mark.parametrize("kind", ["refuses", "is gone"])
def test_a_collector_that_fails_fails_no_request_and_is_left_alone_for_a_while(
    aws: Aws, project_key: str, collector: Collector, kind: str
) -> None:
    if kind == "refuses":
        collector.status = 503
    else:
        aws.monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert [post(project_key, PROGRAM).status for _ in range(3)] == [202, 202, 202]
    assert len(collector.requests) == (1 if kind == "refuses" else 0)


def test_program_and_output_are_in_no_span(system: Direct, aws: Aws, project_key: str, collector: Collector) -> None:
    system.start(RecordedSlot)
    use(aws, system.port)
    hidden = {
        "language": "c",
        "code": "int main(void) { /* hidden */ }",
        "stdin": "hidden",
        "metadata": {"a": "hidden"},
    }
    assert post(project_key, hidden, query={"wait": "true"}).status == 200
    assert collector.spans
    assert "hidden" not in str(collector.spans)


def test_without_a_collector_nothing_is_kept_and_no_http_client_is_imported(aws: Aws, project_key: str) -> None:
    aws.monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert post(project_key, PROGRAM, traceparent=TRACE).status == 202
    assert not getattr(otlp._kept, "spans", [])
    code = "import sys, functions.otlp; print('urllib.request' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(otlp.__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_the_spans_of_one_invocation_are_bounded() -> None:
    span = otlp.Span("0" * 32, "1" * 16, "", "run", "runner", 1, 2)
    otlp.keep(*[span] * (otlp.MOST_SPANS + 5))
    otlp.keep(span)
    assert len(otlp._kept.__dict__.pop("spans")) == otlp.MOST_SPANS
