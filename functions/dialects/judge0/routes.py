"""The routes of Judge0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.aws.payloads import PayloadMissingError
from functions.dialects.dialect import Dialect
from functions.dialects.judge0.config import MAX_BATCH, config_info
from functions.dialects.judge0.languages import NamedLanguage, languages
from functions.dialects.judge0.requests import Translated, judge0_problems, translated
from functions.dialects.judge0.views import STATUSES, Finished, requested_fields, submission_body
from functions.dialects.project_key import project_of
from functions.dialects.run import checked_run, json_answer, outputs, run_program
from functions.errors import BadRequestError, ForbiddenError, InvalidFieldsError, NotFoundError, ServiceError
from functions.http.http_event import json_body
from functions.http.parameters import SUBMIT_MAX_SECS, uuid
from functions.http.strict_json import read_json
from functions.messages.languages import Language, Profile, ceilings
from functions.submissions.model import Status
from functions.submissions.results.results import NO_SUCH_RESULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.judging.deployment import JudgeDeployment
    from functions.projects.model import Project
    from functions.submissions.model import Submission

VERSION = "1.13.1"
_ABOUT = {
    "version": VERSION,
    "homepage": "https://judge0.com",
    "source_code": "https://github.com/judge0/judge0",
    "maintainer": "Herman Zvonimir Došilović <hermanz.dosilovic@gmail.com>",
}
"""The version whose API this is. Clients require the other fields."""
_INVALID, _CREATED = 422, 201


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    if status == _INVALID:
        return status, judge0_problems(said["fields"])
    return status, {"error": said["message"]}


JUDGE0 = Dialect("judge0", "x-auth-token", _error)


@dataclass(frozen=True, slots=True)
class Judge0Routes:
    """The routes. All raise ServiceError."""

    deployment: JudgeDeployment

    def about(self, app: Resolver) -> Response[str]:
        """Answer with the version of the API."""
        self._project(app)
        return json_answer(_ABOUT)

    def authenticate(self, app: Resolver) -> Response[str]:
        """Tell that the key is valid."""
        self._project(app)
        return json_answer({})

    def config_info(self, app: Resolver) -> Response[str]:
        """Answer with the limits of this service."""
        profile, settings = _profile(self._project(app)), self.deployment.settings
        most = ceilings(Language.PYTHON, profile, self.deployment.raised_ceilings)
        return json_answer(
            config_info(most.cpu_time_secs, most.wall_time_secs, most.memory_mb, settings.max_queue_depth)
        )

    def statuses(self, app: Resolver) -> Response[str]:
        """Answer with all statuses."""
        self._project(app)
        return json_answer([{"id": number, "description": text} for number, text in STATUSES.items()])

    def languages(self, app: Resolver) -> Response[str]:
        """Answer with the offered languages."""
        self._project(app)
        return json_answer(self._languages())

    def all_languages(self, app: Resolver) -> Response[str]:
        """Answer with the same: no language is archived."""
        self._project(app)
        return json_answer([{**one, "is_archived": False} for one in self._languages()])

    def language(self, app: Resolver, id_text: str) -> Response[str]:
        """Answer with one language. Its commands are those of the runner, which the API does not show."""
        self._project(app)
        for one in self._languages():
            if str(one["id"]) == id_text:
                unknown = dict.fromkeys(("source_file", "compile_cmd", "run_cmd"))
                return json_answer({**one, "is_archived": False, **unknown})
        raise NotFoundError("There is no such language.")

    def create(self, app: Resolver) -> Response[str]:
        """Accept a submission; with wait=true, answer when it is finished."""
        project, query = self._project(app), app.current_event.query_string_parameters
        fields, is_base64 = requested_fields(query.get("fields")), query.get("base64_encoded") == "true"
        secs = SUBMIT_MAX_SECS if query.get("wait") == "true" else 0
        row = self._accept(app, project, _object(self._body(app)), is_base64=is_base64, wait_secs=secs)
        if not secs:
            return json_answer({"token": row.submission_id}, _CREATED)
        try:
            return json_answer(self._shown(row, fields, is_base64=is_base64), _CREATED)
        except BadRequestError as error:
            return json_answer({"error": error.message, "token": row.submission_id}, _CREATED)

    def create_batch(self, app: Resolver) -> Response[str]:
        """Accept up to 20 submissions. An answer has the token of each, or its problems."""
        project, query = self._project(app), app.current_event.query_string_parameters
        sent = _object(self._body(app)).get("submissions")
        _check_batch(len(sent) if isinstance(sent, list) else 0)
        answers: list[Mapping[str, Any]] = []
        is_base64, first = query.get("base64_encoded") == "true", None
        for one in sent or ():
            try:
                row = self._accept(app, project, _object(one), is_base64=is_base64, wait_secs=0)
                answers.append({"token": row.submission_id})
            except InvalidFieldsError as invalid:
                answers.append(_problems(invalid))
            except ServiceError as refused:
                first = first or refused
                answers.append({"error": [refused.message]})
        if any("token" in one for one in answers):
            return json_answer(answers, _CREATED)
        if first is not None:
            raise first
        return json_answer(answers, _INVALID)

    def one(self, app: Resolver, token: str) -> Response[str]:
        """Answer with a submission."""
        project, query = self._project(app), app.current_event.query_string_parameters
        fields, is_base64 = requested_fields(query.get("fields")), query.get("base64_encoded") == "true"
        row = self._find(token, project)
        if row is None:
            raise NotFoundError(NO_SUCH_RESULT)
        return json_answer(self._shown(row, fields, is_base64=is_base64))

    def batch(self, app: Resolver) -> Response[str]:
        """Answer with up to 20 submissions, null for one that does not exist."""
        project, query = self._project(app), app.current_event.query_string_parameters
        fields, is_base64 = requested_fields(query.get("fields")), query.get("base64_encoded") == "true"
        tokens = [token.strip() for token in query.get("tokens", "").split(",") if token.strip()]
        _check_batch(len(tokens))
        rows = [self._find(token, project) for token in tokens]
        shown = [None if row is None else self._shown(row, fields, is_base64=is_base64) for row in rows]
        return json_answer({"submissions": shown})

    def page(self, app: Resolver) -> Response[str]:
        """Refuse to list submissions, as its server does without an administrator's token. Raises ForbiddenError."""
        self._project(app)
        raise ForbiddenError("Submissions are not listed here. GET /api/results lists those of the project.")

    def delete(self, app: Resolver, _token: str) -> Response[str]:
        """Refuse to delete a submission, as its server does by default. Raises BadRequestError."""
        self._project(app)
        raise BadRequestError("delete not allowed")

    def _body(self, app: Resolver) -> Any:
        return read_json(json_body(app.current_event))[0]

    def _accept(
        self, app: Resolver, project: Project, sent: Mapping[str, Any], *, is_base64: bool, wait_secs: float
    ) -> Submission:
        offered = [language.value for language in self.deployment.fleet.languages()]
        read: Translated = translated(sent, offered, _profile(project), is_base64=is_base64)
        body = read.body if read.callback_url is None else read.body | {"webhook_url": read.callback_url}
        run = checked_run(self.deployment, app, project, body, read.stdin)
        return run_program(self.deployment, app, project, run, wait_secs)

    def _find(self, token: str, project: Project) -> Submission | None:
        try:
            return self.deployment.results.find(uuid(token), project.project_id)
        except BadRequestError:  # no token is anything but a UUID
            return None

    def _shown(self, row: Submission, fields: tuple[str, ...], *, is_base64: bool) -> dict[str, Any]:
        finished = _finished(row)
        if row.is_final:
            stdout, stderr = outputs(self.deployment, row)
            finished = replace(finished, stdout=stdout, stderr=stderr)
        if {"source_code", "stdin"} & set(fields):
            finished = self._with_sources(finished, row)
        return submission_body(finished, fields, is_base64=is_base64)

    def _with_sources(self, finished: Finished, row: Submission) -> Finished:
        if row.input_key is None:
            return replace(finished, source=row.code, stdin=row.stdin)
        try:
            source, stdin, _ = self.deployment.payloads.get_input(row.submission_id)
        except PayloadMissingError:  # deleted since the row was read
            raise NotFoundError(NO_SUCH_RESULT) from None
        return replace(finished, source=source, stdin=stdin)

    def _languages(self) -> list[NamedLanguage]:
        return languages(self.deployment.fleet.toolchains(self.deployment.raised_ceilings))

    def _project(self, app: Resolver) -> Project:
        return project_of(app.current_event, self.deployment.projects, JUDGE0.key_header)


def _profile(project: Project) -> Profile:
    return Profile.JUDGE if Profile.JUDGE in project.profiles else Profile.AGENT


def _object(sent: object) -> Mapping[str, Any]:
    return sent if isinstance(sent, dict) else {}


def _problems(invalid: InvalidFieldsError) -> dict[str, list[str]]:
    return judge0_problems([{"field": one.field, "message": one.message} for one in invalid.fields])


def _check_batch(count: int) -> None:
    if count > MAX_BATCH:
        raise BadRequestError(f"number of submissions in a batch should be less than or equal to {MAX_BATCH}")
    if count == 0:
        raise BadRequestError("there should be at least one submission in a batch")


def _finished(row: Submission) -> Finished:
    return Finished(
        token=row.submission_id,
        language=row.language,
        is_running=row.status is Status.RUNNING,
        created_at=row.created_at,
        finished_at=row.completed_at,
        result=row.result if row.is_final else None,
        metrics=row.metrics or {},
        metadata=row.metadata,
        callback_url=row.webhook_url,
        compiler_text=str((row.compilation or {}).get("stderr", "")).encode(),
    )
