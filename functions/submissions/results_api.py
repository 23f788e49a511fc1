"""The routes of results: read, list and delete submissions."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import Response

from events.vocabulary import Language, Verdict, canonical
from functions.clock import to_rfc3339
from functions.env import Env
from functions.errors import BadRequestError
from functions.http.answers import answer, page_answer
from functions.http.long_poll import long_poll
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, ID, KEYED, LIMITED, PAGE, Answer, path, query
from functions.http.parameters import LONG_POLL_MAX_SECS, Parameters, page_limit, since_ms, start_after, uuid, wait_secs
from functions.http.resolver import Resolver, Route
from functions.projects.authentication import authenticate
from functions.projects.quota_store import SEARCHES_PER_MINUTE, SearchQuota
from functions.submissions.cancellation import Cancellation
from functions.submissions.live_output import LiveOutput
from functions.submissions.model import Kind, Status, Submission
from functions.submissions.queues import Queues
from functions.submissions.results.list_store import SEARCHED_MAX, ListFilter, SubmissionList, list_position
from functions.submissions.results.overview import Overview, RunCounts, overview
from functions.submissions.results.results import (
    SHAPE,
    SLOW,
    UNKNOWN,
    Results,
    artifact_answer,
    output_offset,
    output_stream,
    result_shape,
    wait_parameter,
)
from functions.submissions.results.short_views import (
    CompactFinal,
    CompactOpen,
    OutputLink,
    OutputPart,
    ResultPage,
    output_part,
    summary_body,
)
from functions.submissions.results.views import (
    ArtifactLink,
    Cancelling,
    Deleted,
    FinalResult,
    KeptProgram,
    OpenResult,
    cancelling_body,
    deleted_body,
)

# The filters of the list.

_TEXT_MAX_CHARS = 100
_LISTED = (Kind.RUN, Kind.JUDGE)


def list_filter(parameters: Parameters) -> ListFilter:
    """Read the filters of the list of results."""
    since, until = since_ms(parameters), since_ms(parameters, "until")
    name, equals, value = parameters.get("metadata", "").partition("=")
    if "metadata" in parameters and not (name and equals):
        raise BadRequestError("metadata must be a name and its value, such as build=1042.")
    text = parameters.get("q", "")
    if len(text) > _TEXT_MAX_CHARS:
        raise BadRequestError(f"q must have at most {_TEXT_MAX_CHARS} characters.")
    return ListFilter(
        _equal(parameters),
        _kind(parameters),
        None if since is None else to_rfc3339(since),
        None if until is None else to_rfc3339(until),
        (name, value) if name else None,
        text.casefold() or None,
    )


def _equal(parameters: Parameters) -> dict[str, str]:
    filters = {name: parameters[name] for name in ("status", "verdict", "language") if name in parameters}
    if filters.get("status", Status.PENDING) not in list(Status):
        raise BadRequestError(f"status must be one of {', '.join(Status)}.")
    if filters.get("verdict", Verdict.AC) not in list(Verdict):
        raise BadRequestError(f"verdict must be one of {', '.join(Verdict)}.")
    if "language" in filters:
        language = canonical(filters["language"])
        if language is None:
            raise BadRequestError("language must be one that GET /api/languages lists.")
        filters["language"] = language.value
    return filters


def _kind(parameters: Parameters) -> Kind | None:
    kind = parameters.get("kind")
    if kind not in {None, *_LISTED}:
        raise BadRequestError(f"kind must be {' or '.join(_LISTED)}.")
    return None if kind is None else Kind(kind)


@dataclass(frozen=True, slots=True)
class ResultRoutes:
    """The routes. All raise ServiceError."""

    env: Env

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        env, query = self.env, app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, env).project_id
        secs, shape = wait_secs(query, LONG_POLL_MAX_SECS), result_shape(query)
        row = env[Results].get(uuid(id_text), project_id)
        secs = min(secs, env.settings.longest_wait_secs)
        row = env[Results].wait(row, secs, env[long_poll].within(app.secs_left))
        return env[Results].show(row, app.prefix, shape)

    def stdout(self, app: Resolver, id_text: str) -> Response[Any]:
        return self.env[Results].raw(self._own(app, id_text), "stdout")

    def stderr(self, app: Resolver, id_text: str) -> Response[Any]:
        return self.env[Results].raw(self._own(app, id_text), "stderr")

    def output(self, app: Resolver, id_text: str) -> Response[str]:
        """Answer with a part of the output, also while the run goes on; with `wait`, hold the request for it."""
        env, query = self.env, app.current_event.query_string_parameters
        row = self._own(app, id_text)
        stream, after, shape = output_stream(query), output_offset(query), result_shape(query)
        secs = wait_secs(query, LONG_POLL_MAX_SECS)
        secs = min(secs, env.settings.longest_wait_secs)
        part = env[LiveOutput].read(row, stream, after, secs, env[long_poll].within(app.secs_left))
        body = output_part(part.row, stream, after, part.content, is_end=part.is_end, encoding=shape.encoding)
        if part.execution is not None:
            body["execution"] = part.execution
        return answer(body)

    def program(self, app: Resolver, id_text: str) -> Response[str]:
        return self.env[Results].program(self._own(app, id_text))

    def cancel(self, app: Resolver, id_text: str) -> Response[str]:
        shape = result_shape(app.current_event.query_string_parameters)
        row = self.env[Cancellation].cancel(self._own(app, id_text))
        if row.is_final:
            return self.env[Results].show(row, app.prefix, shape)
        return answer(cancelling_body(row), 202)

    def artifact(self, app: Resolver, id_text: str, path: str) -> Response[str]:
        return artifact_answer(self.env, self._own(app, id_text), path)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        row = self._own(app, id_text)
        self.env[Cancellation].delete(row, self.env[long_poll].within(app.secs_left))
        return answer(deleted_body(row))

    def page(self, app: Resolver) -> Response[str]:
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.env).project_id
        limit, only, after = page_limit(query), list_filter(query), start_after(query, project_id)
        quota = self.env[SearchQuota]
        if only.has_filter:
            quota.check(project_id)
        if only.text is None:
            page = self.env[SubmissionList].page(project_id, limit=limit, after=after, only=only)
            if only.has_filter and page.skipped > SEARCHED_MAX:  # as much as a search reads, whatever it shows
                quota.count(project_id)
            return page_answer(project_id, page, summary_body, list_position)
        quota.count(project_id)
        page, searched = self.env[SubmissionList].search(project_id, limit=limit, after=after, only=only)
        return page_answer(project_id, page, summary_body, list_position, searched=searched)

    def overview(self, app: Resolver) -> Response[str]:
        project_id = authenticate(app.current_event, self.env).project_id
        return answer(overview(self.env[RunCounts].hours(project_id), self.env[Queues].recent_depths()))

    def _own(self, app: Resolver, id_text: str) -> Submission:
        project_id = authenticate(app.current_event, self.env).project_id
        return self.env[Results].get(uuid(id_text), project_id)


_RESULT = (FinalResult, OpenResult, CompactFinal, CompactOpen)
_ONE: dict[int, Answer] = {400: BAD, 404: UNKNOWN, **KEYED}
_RAW: dict[int, Answer] = {
    200: (
        "The stored bytes. On AWS, of more than 4 MiB a link for five minutes.",
        ("application/octet-stream", OutputLink),
    ),
    **_ONE,
    409: ("`conflict`: the run is not finished.", (Error,)),
}

RESULT_ROUTES: tuple[Route[ResultRoutes], ...] = (
    Route(
        "GET /api/result/{id}",
        ResultRoutes.one,
        "getResult",
        "One submission, in any state",
        {200: ("Finished or not.", _RESULT), **_ONE, 504: SLOW},
        (ID, wait_parameter(LONG_POLL_MAX_SECS), *SHAPE),
        waits="if_asked",
        rights=("run", "read"),
    ),
    Route(
        "DELETE /api/result/{id}",
        ResultRoutes.delete,
        "deleteResult",
        "Stop a submission if it runs, and delete its code, input and output",
        {
            200: ("Gone.", (Deleted,)),
            **_ONE,
            409: ("`conflict`: its run is cancelled, and not deleted yet. Repeat the request.", (Error,)),
        },
        (ID,),
        waits="by_default",  # for the end of a running one
        rights=("files",),
    ),
    Route(
        "POST /api/result/{id}/cancel",
        ResultRoutes.cancel,
        "cancelRun",
        "Stop a submission",
        {
            200: ("It is finished, perhaps by this request.", (FinalResult, CompactFinal)),
            202: ("It is being stopped, and may still end by itself. Poll it for its result.", (Cancelling,)),
            **_ONE,
        },
        (ID, *SHAPE),
        rights=("run",),
    ),
    Route(
        "GET /api/result/{id}/output",
        ResultRoutes.output,
        "getOutput",
        "The output of a run from an offset, also while it goes on",
        {200: ("A part of it, perhaps empty.", (OutputPart,)), **_ONE, 504: SLOW},
        (
            ID,
            query("stream", {"enum": ["stdout", "stderr"]}, "Which output.") | {"required": True},
            query(
                "after",
                {"type": "integer", "minimum": 0, "maximum": 9_999_999_999, "default": 0},
                "The offset in bytes: 0, then `next` of the answer before.",
            ),
            wait_parameter(LONG_POLL_MAX_SECS, until="there is output after the offset"),
            SHAPE[0],
        ),
        waits="if_asked",
        rights=("run", "read"),
    ),
    Route(
        "GET /api/results",
        ResultRoutes.page,
        "listResults",
        "The project's submissions, newest first",
        {200: ("One page.", (ResultPage,)), 400: BAD, **KEYED, 429: LIMITED},
        (
            query("status", {"enum": list(Status)}, "Only these."),
            query("verdict", {"enum": list(Verdict)}, "Only these."),
            query("language", {"enum": list(Language)}, "Only these. Aliases are accepted."),
            query("kind", {"enum": list(_LISTED)}, "Only runs, or only judge runs."),
            query(
                "since",
                {"type": "string", "format": "date-time"},
                "Only those that were created at this time or later.",
            ),
            query("until", {"type": "string", "format": "date-time"}, "Only those that were created before this time."),
            query(
                "metadata",
                {"type": "string"},
                "Only those with this name and value, such as build=1042. A project may search its results "
                f"{SEARCHES_PER_MINUTE} times a minute: each list with `q` counts, and each whose filters leave out "
                f"more than {SEARCHED_MAX:,} that it reads.",
            ),
            query(
                "q",
                {"type": "string", "maxLength": 100},
                "Only those with this text in id, `line` or metadata, in any case. An answer is of the next 1,000 "
                "submissions at most, and says in `searched` how many it read; `next_cursor` goes on behind them.",
            ),
            *PAGE,
        ),
        rights=("read",),
    ),
    Route(
        "GET /api/overview",
        ResultRoutes.overview,
        "getRunsOverview",
        "The project's runs of the last 24 hours by verdict, and the queues",
        {200: ("By hour, and together.", (Overview,)), **KEYED},
        rights=("read",),
    ),
    Route(
        "GET /api/result/{id}/stdout",
        ResultRoutes.stdout,
        "getStdout",
        "The raw bytes of stdout",
        _RAW,
        (ID,),
        rights=("run", "read"),
    ),
    Route(
        "GET /api/result/{id}/stderr",
        ResultRoutes.stderr,
        "getStderr",
        "The raw bytes of stderr",
        _RAW,
        (ID,),
        rights=("run", "read"),
    ),
    Route(
        "GET /api/result/{id}/program",
        ResultRoutes.program,
        "getProgram",
        "The program of a run, for 24 hours if its request had keep_code",
        {
            200: ("Send `request` to POST /api/submit to run it again.", (KeptProgram,)),
            **_ONE,
            404: ("`not_found`: no such submission in this project, or its program is not kept.", (Error,)),
        },
        (ID,),
        rights=("run", "read"),
    ),
    Route(
        "GET /api/result/{id}/artifacts/{path+}",
        ResultRoutes.artifact,
        "getArtifact",
        "A file that the program left",
        {
            200: (
                "On AWS, a link to the bucket that works for five minutes. On one machine the bytes, as a download.",
                (ArtifactLink, "application/octet-stream"),
            ),
            **_ONE,
            404: ("`not_found`: the project has no such submission, or the run left no such artifact.", (Error,)),
            409: ("`conflict`: the run is not finished.", (Error,)),
        },
        (ID, path("path", {"type": "string"}, "As in the result. Slashes may stand as they are.")),
        rights=("run", "read"),
    ),
)
