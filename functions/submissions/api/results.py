"""The routes of results: read, list and delete submissions."""

from events.vocabulary import Language, Verdict
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, ID, KEYED, PAGE, Answer, path, query
from functions.http.parameters import LONG_POLL_MAX_SECS
from functions.http.route import Route
from functions.submissions.api.answers import SHAPE, SLOW, UNKNOWN, wait_parameter
from functions.submissions.model import Kind, Status
from functions.submissions.results.artifact_views import ArtifactLink
from functions.submissions.results.compact_views import CompactFinal, CompactOpen
from functions.submissions.results.item_views import ResultPage
from functions.submissions.results.output_views import OutputLink, OutputPart
from functions.submissions.results.views import Cancelling, Deleted, FinalResult, KeptProgram, OpenResult
from functions.submissions.routes.result_routes import ResultRoutes

_RESULT = (FinalResult, OpenResult, CompactFinal, CompactOpen)
_RAW: dict[int, Answer] = {
    200: (
        "The stored bytes. On AWS, of more than 4 MiB a link for five minutes.",
        ("application/octet-stream", OutputLink),
    ),
    400: BAD,
    404: UNKNOWN,
    409: ("`conflict`: the run is not finished.", (Error,)),
    **KEYED,
}

RESULT_ROUTES: tuple[Route[ResultRoutes], ...] = (
    Route(
        "GET",
        "/api/result/{id}",
        ResultRoutes.one,
        "getResult",
        "One submission, in any state",
        {200: ("Finished or not.", _RESULT), 400: BAD, 404: UNKNOWN, 504: SLOW, **KEYED},
        (ID, wait_parameter(LONG_POLL_MAX_SECS), *SHAPE),
        waits="if_asked",
    ),
    Route(
        "DELETE",
        "/api/result/{id}",
        ResultRoutes.delete,
        "deleteResult",
        "Stop a submission if it runs, and delete its code, input and output",
        {
            200: ("Gone.", (Deleted,)),
            400: BAD,
            404: UNKNOWN,
            409: ("`conflict`: its run is being stopped. Repeat the request.", (Error,)),
            **KEYED,
        },
        (ID,),
        waits="by_default",  # for the end of a running one
    ),
    Route(
        "POST",
        "/api/result/{id}/cancel",
        ResultRoutes.cancel,
        "cancelRun",
        "Stop a submission",
        {
            200: ("It is finished, perhaps by this request.", (FinalResult, CompactFinal)),
            202: ("It is being stopped. Poll it for its result.", (Cancelling,)),
            400: BAD,
            404: UNKNOWN,
            **KEYED,
        },
        (ID, *SHAPE),
    ),
    Route(
        "GET",
        "/api/result/{id}/output",
        ResultRoutes.output,
        "getOutput",
        "The output of a run from an offset, also while it goes on",
        {200: ("A part of it, perhaps empty.", (OutputPart,)), 400: BAD, 404: UNKNOWN, 504: SLOW, **KEYED},
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
    ),
    Route(
        "GET",
        "/api/results",
        ResultRoutes.page,
        "listResults",
        "The project's submissions, newest first",
        {200: ("One page.", (ResultPage,)), 400: BAD, **KEYED},
        (
            query("status", {"enum": list(Status)}, "Only these."),
            query("verdict", {"enum": list(Verdict)}, "Only these."),
            query("language", {"enum": list(Language)}, "Only these. Aliases are accepted."),
            query("kind", {"enum": list(Kind)}, "Only runs, or only judge runs."),
            *PAGE,
        ),
    ),
    Route(
        "GET",
        "/api/result/{id}/stdout",
        ResultRoutes.stdout,
        "getStdout",
        "The raw bytes of stdout",
        _RAW,
        (ID,),
    ),
    Route(
        "GET",
        "/api/result/{id}/stderr",
        ResultRoutes.stderr,
        "getStderr",
        "The raw bytes of stderr",
        _RAW,
        (ID,),
    ),
    Route(
        "GET",
        "/api/result/{id}/program",
        ResultRoutes.program,
        "getProgram",
        "The program of a run, for 24 hours if its request had keep_code",
        {
            200: ("Send `request` to POST /api/submit to run it again.", (KeptProgram,)),
            400: BAD,
            404: ("`not_found`: no such submission in this project, or its program is not kept.", (Error,)),
            **KEYED,
        },
        (ID,),
    ),
    Route(
        "GET",
        "/api/result/{id}/artifacts/{path+}",
        ResultRoutes.artifact,
        "getArtifact",
        "A file that the program left",
        {
            200: (
                "On AWS, a link to the bucket that works for five minutes. On one machine the bytes, as a download.",
                (ArtifactLink, "application/octet-stream"),
            ),
            400: BAD,
            404: ("`not_found`: the project has no such submission, or the run left no such artifact.", (Error,)),
            409: ("`conflict`: the run is not finished.", (Error,)),
            **KEYED,
        },
        (ID, path("path", {"type": "string"}, "As in the result. Slashes may stand as they are.")),
    ),
)
