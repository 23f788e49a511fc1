"""Routes of transforms: test a program on an event, and programs to begin with."""

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from functions.env import Env
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError, NotFoundError
from functions.event_log.model import event_bytes
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, ID, KEYED, LIMITED, NO_RESPONSE, TAKES_BODY, Answer
from functions.http.parameters import uuid
from functions.http.resolver import Resolver, Route
from functions.http.validation import Problems, Text, parse_body
from functions.ids import new_id
from functions.projects.authentication import authenticate
from functions.webhooks.deliveries.model import TransformFailure
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.deliveries.written_body import WrittenBody
from functions.webhooks.endpoint_routes import TEST_SECS, EndpointRoutes
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.endpoints.requests import TransformRequest, stored_transform, transform_problems
from functions.webhooks.sending.requests import content_of
from functions.webhooks.sending.transforms import MAX_ERROR_CHARS, transform_runs
from functions.webhooks.vocabulary import EVENT_COMPLETED

_SAMPLES = Path(__file__).parents[1] / "feed" / "samples.json"
_TEMPLATES = Path(__file__).parent / "transform_templates"
_NO_TRANSFORM = "The endpoint has no transform. Send one as transform, with language and code."
_NO_EVENT = "The project has no such event, or it is older than 24 days."
_ONE_OF_BOTH = "Send event_id or type."


class TestTransformRequest(BaseModel):
    """Body of POST /api/webhooks/{id}/transform/test. Without an event: a sample of submission.completed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    transform: TransformRequest | None = Field(default=None, description="The program. Default: the endpoint's.")
    event_id: Text | None = Field(
        default=None, description="A stored event of the project.", json_schema_extra={"format": "uuid"}
    )
    type: Text | None = Field(default=None, description="A sample of this type.", examples=["check.state.changed"])


class TransformTested(TypedDict):
    """What a program made of an event. Nothing was sent."""

    event: Annotated[dict[str, Any], Field(description="What the program read.")]
    verdict: Annotated[str, Field(description="AC: it ran to its end. See the verdicts of runs.")]
    skip: Annotated[bool, Field(description="It skips the event.")]
    body: Annotated[str | None, Field(description="The body that would be sent. null: none.")]
    headers: Annotated[dict[str, str], Field(description="Headers of the program, with content-type.")]
    error: Annotated[str | None, Field(description="Why there is no body.")]
    stderr: Annotated[str, Field(description=f"The last {MAX_ERROR_CHARS:,} characters of standard error.")]


class TransformTemplate(TypedDict):
    """A program to begin with."""

    name: Annotated[str, Field(examples=["slack"])]
    language: str
    description: str
    code: str


class TransformTemplatePage(TypedDict):
    """All templates."""

    items: list[TransformTemplate]
    next_cursor: None


@cache
def _samples() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(_SAMPLES.read_text())
    return found


@cache
def templates() -> tuple[TransformTemplate, ...]:
    """Return the templates. The first line of each is its description."""
    return tuple(
        {"name": path.stem, "language": "python", "description": text.partition("\n")[0].strip('".# '), "code": text}
        for path in sorted(_TEMPLATES.glob("*.py"))
        for text in (path.read_text(),)
    )


class TransformRoutes:
    """Handlers. All of them raise ServiceError."""

    def __init__(self, env: Env) -> None:
        self.env, self.endpoints = env, env[EndpointRoutes]

    def templates(self, app: Resolver) -> Response[str]:
        authenticate(app.current_event, self.env)
        body: TransformTemplatePage = {"items": list(templates()), "next_cursor": None}
        return answer(body)

    def test(self, app: Resolver, id_text: str) -> Response[str]:
        """Run a program on an event, and answer with what it would send."""
        endpoint, problems = self.endpoints.get(app, id_text), Problems()
        asked = parse_body(TestTransformRequest, json_body(app.current_event), problems)
        given = None if problems else asked.transform
        problems.add(transform_problems(given))
        problems.refuse()
        program = endpoint.transform if given is None else stored_transform(given)
        if program is None:
            raise ConflictError(_NO_TRANSFORM)
        self.endpoints.refuse_language(program)
        event = self._event(endpoint, asked)
        with self.endpoints.exclusively(endpoint, TEST_SECS):
            end = self.env[transform_runs].test(endpoint.project_id, program, event)
        written = end.body()
        body, is_failure = written if isinstance(written, WrittenBody) else None, isinstance(written, TransformFailure)
        tested: TransformTested = {
            "event": json.loads(event),
            "verdict": end.verdict,
            "skip": written is None,
            "body": None if body is None else body.content.decode(),
            "headers": {} if body is None else dict(body.headers),
            "error": written.error or end.verdict if isinstance(written, TransformFailure) and is_failure else None,
            "stderr": end.stderr.decode(errors="replace")[-MAX_ERROR_CHARS:],
        }
        return answer(tested)

    def _event(self, endpoint: Endpoint, asked: TestTransformRequest) -> bytes:
        """Return the event as the endpoint gets it. Raises InvalidFieldsError, NotFoundError."""
        if asked.event_id is not None and asked.type is not None:
            raise InvalidFieldsError((FieldProblem("type", _ONE_OF_BOTH),))
        event_id, submission_id = new_id(), ""
        if asked.event_id is not None:
            event = self.env[DeliveryStore].get_event(uuid(asked.event_id))
            if event is None or event.project_id != endpoint.project_id:
                raise NotFoundError(_NO_EVENT)
            event_id, submission_id, content = event.event_id, event.submission_id, event.body
        else:
            sample = _samples().get(asked.type or EVENT_COMPLETED)
            if sample is None:
                raise InvalidFieldsError((FieldProblem("type", f"Unknown event. Known: {', '.join(_samples())}."),))
            content = event_bytes(sample)
        return content_of(self.env.settings.public_base_url, endpoint, event_id, submission_id, content)


_UNKNOWN: Answer = ("`not_found`: the project has no such endpoint or event.", (Error,))
TRANSFORM_ROUTES: tuple[Route[TransformRoutes], ...] = (
    Route(
        "GET /api/webhooks/transform/templates",
        TransformRoutes.templates,
        "listTransformTemplates",
        "List programs that write messages for Slack, Discord, Teams and PagerDuty, to begin with",
        {200: ("All templates.", (TransformTemplatePage,)), **KEYED},
        rights=("read", "webhooks"),
    ),
    Route(
        "POST /api/webhooks/{id}/transform/test",
        TransformRoutes.test,
        "testTransform",
        "Run a transform on a sample or a stored event, and show the body; nothing is sent",
        {
            200: ("What the program made of the event.", (TransformTested,)),
            400: BAD,
            404: _UNKNOWN,
            409: ("`conflict`: the endpoint has no transform, or a test or a recovery of it is running.", (Error,)),
            **TAKES_BODY,
            429: LIMITED,
            504: NO_RESPONSE,
        },
        (ID,),
        TestTransformRequest,
        {
            "stored program": {"value": {}},
            "new program": {
                "value": {
                    "transform": {"language": "python", "code": "import json, sys\nprint(json.load(sys.stdin)['type'])"}
                }
            },
        },
        waits="by_default",
        rights=("webhooks",),
    ),
)
