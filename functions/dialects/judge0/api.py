"""The routes of Judge0."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from events.limits import ceilings
from events.vocabulary import Language
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.dialects.dialect import Dialect, DialectRoute, DialectRoutes, answering, json_answer, refusing
from functions.dialects.judge0.requests import judge0_problems, read_submission
from functions.dialects.judge0.views import (
    IDS,
    MAX_BATCH,
    SOURCES,
    STATUSES,
    KeptRequest,
    config_info,
    name_of,
    requested_fields,
    submission_body,
)
from functions.errors import BadRequestError, ForbiddenError, InvalidFieldsError, NotFoundError, ServiceError
from functions.http.parameters import SUBMIT_MAX_SECS, uuid
from functions.http.validation import Problems
from functions.submissions.accept.requests import STDIN_MAX_BYTES, size_problems
from functions.submissions.model import Submission
from functions.submissions.results.results import NO_SUCH_RESULT, Results
from functions.submissions.results.short_views import summary_body
from functions.submissions.runners.fleet import Fleet, LanguageDetail, ceilings_of_operator

_INVALID, _CREATED = 422, 201


class Judge0Routes(DialectRoutes):
    """The routes. All raise ServiceError."""

    def config_info(self) -> Response[str]:
        most = ceilings(Language.PYTHON, self.profile, self.env[ceilings_of_operator])
        return json_answer(config_info(most, self.env.settings.max_queue_depth))

    def languages(self) -> Response[str]:
        return json_answer(languages(self.env[Fleet].toolchains()))

    def all_languages(self) -> Response[str]:
        """Answer with the offered languages again: none is archived here."""
        found = languages(self.env[Fleet].toolchains())
        return json_answer([{**one, "is_archived": False} for one in found])

    def language(self, id_text: str) -> Response[str]:
        """Answer with one language. Its commands are those of the runner, which the API does not show."""
        for one in languages(self.env[Fleet].toolchains()):
            if str(one["id"]) == id_text:
                unknown = dict.fromkeys(("source_file", "compile_cmd", "run_cmd"))
                return json_answer({**one, "is_archived": False, **unknown})
        raise NotFoundError("There is no such language.")

    def create(self) -> Response[str]:
        """Accept a submission; with wait=true, answer when it is finished."""
        fields, is_waiting = self._fields(), self._query.get("wait") == "true"
        row = self._accept(self.body, SUBMIT_MAX_SECS if is_waiting else 0)
        if not is_waiting:
            return json_answer({"token": row.submission_id}, _CREATED)
        try:
            return json_answer(self._shown(row, fields), _CREATED)
        except BadRequestError as error:
            return json_answer({"error": error.message, "token": row.submission_id}, _CREATED)

    def create_batch(self) -> Response[str]:
        """Accept up to 20 submissions. An answer has the token of each, or its problems."""
        sent = self.body.get("submissions")
        _check_batch(len(sent) if isinstance(sent, list) else 0)
        answers: list[Mapping[str, Any]] = []
        first: ServiceError | None = None
        for each in sent or ():
            try:
                answers.append({"token": self._accept(each if isinstance(each, dict) else {}).submission_id})
            except InvalidFieldsError as invalid:
                answers.append(judge0_problems((one.field, one.message) for one in invalid.fields))
            except ServiceError as refused:
                first = first or refused
                answers.append({"error": [refused.message]})
        is_accepted = any("token" in one for one in answers)
        if first is not None and not is_accepted:
            raise first
        return json_answer(answers, _CREATED if is_accepted else _INVALID)

    def one(self, token: str) -> Response[str]:
        fields, row = self._fields(), self._find(token)
        if row is None:
            raise NotFoundError(NO_SUCH_RESULT)
        return json_answer(self._shown(row, fields))

    def batch(self) -> Response[str]:
        """Answer with up to 20 submissions, null for one that does not exist."""
        fields = self._fields()
        tokens = [token.strip() for token in self._query.get("tokens", "").split(",") if token.strip()]
        _check_batch(len(tokens))
        rows = [self._find(token) for token in tokens]
        return json_answer({"submissions": [None if row is None else self._shown(row, fields) for row in rows]})

    @property
    def _query(self) -> Mapping[str, str]:
        return self.app.current_event.query_string_parameters

    @property
    def _is_base64(self) -> bool:
        return self._query.get("base64_encoded") == "true"

    def _fields(self) -> tuple[str, ...]:
        return requested_fields(self._query.get("fields"))

    def _accept(self, sent: Mapping[str, Any], wait_secs: float = 0) -> Submission:
        present = {name: value for name, value in sent.items() if value not in (None, "")}
        asked = read_submission(present, self.env[Fleet].languages(), is_base64=self._is_base64)
        kept = KeptRequest.of(present, asked.expected_output)
        problems = Problems()
        problems.add(size_problems("stdin", asked.stdin, STDIN_MAX_BYTES))
        request = self.checked({**asked.body(self.profile), "metadata": kept.metadata}, problems)
        program = replace(request.program, stdin=asked.stdin)
        return self.run(replace(request, program=program, webhook_secret=None), wait_secs)

    def _find(self, token: str) -> Submission | None:
        try:
            return self.env[Results].find(uuid(token), self.project.project_id)
        except BadRequestError:  # no token is anything but a UUID
            return None

    def _shown(self, row: Submission, fields: tuple[str, ...]) -> dict[str, Any]:
        texts: dict[str, bytes | None] = {"compile_output": (row.compilation or {}).get("stderr", "").encode()}
        if row.is_final:
            texts["stdout"], texts["stderr"] = self.outputs(row)
        if SOURCES & set(fields):
            texts["source_code"], texts["stdin"] = self._sources(row)
        shown = {**summary_body(row), "callback_url": row.webhook_url}
        return submission_body(shown, texts, fields, is_base64=self._is_base64)

    def _sources(self, row: Submission) -> tuple[bytes | None, bytes | None]:
        if row.input_key is None:
            return row.code, row.stdin
        try:
            return self.env[Payloads].get_input(row.submission_id)[:2]
        except PayloadMissingError:  # deleted since the row was read
            raise NotFoundError(NO_SUCH_RESULT) from None


def languages(details: Iterable[LanguageDetail]) -> list[dict[str, Any]]:
    return sorted((_named(one) for one in details if one["name"] in IDS), key=lambda one: one["id"])


def _named(one: LanguageDetail) -> dict[str, Any]:
    """Return a language with the version of its toolchain, such as `Python (Python 3.13.5)`."""
    version = "".join(f" ({toolchain})" for toolchain in one["toolchains"][-1:])
    return {"id": IDS[one["name"]], "name": name_of(one["name"]) + version}


def _check_batch(count: int) -> None:
    if count > MAX_BATCH:
        raise BadRequestError(f"number of submissions in a batch should be less than or equal to {MAX_BATCH}")
    if count == 0:
        raise BadRequestError("there should be at least one submission in a batch")


_ABOUT = {
    "version": "1.13.1",
    "homepage": "https://judge0.com",
    "source_code": "https://github.com/judge0/judge0",
    "maintainer": "Herman Zvonimir Došilović <hermanz.dosilovic@gmail.com>",
}
"""The version whose API this is. Clients require the other fields."""
_STATUSES = [{"id": id_, "description": text} for id_, text in STATUSES.items()]
_NO_LIST = "Submissions are not listed here. GET /api/results lists those of the project."


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    if status == _INVALID:
        return status, judge0_problems((one["field"], one["message"]) for one in said["fields"])
    return status, {"error": said["message"]}


_READS: Final = ("run", "read")


JUDGE0 = Dialect(
    "judge0",
    "x-auth-token",
    _error,
    Judge0Routes,
    (
        DialectRoute("GET /judge0/about", answering(_ABOUT), _READS),
        DialectRoute("POST /judge0/authenticate", answering({}), ("run",)),
        DialectRoute("POST /judge0/authorize", answering({}), ("run",)),
        DialectRoute("GET /judge0/config_info", Judge0Routes.config_info, _READS),
        DialectRoute("GET /judge0/statuses", answering(_STATUSES), _READS),
        DialectRoute("GET /judge0/languages", Judge0Routes.languages, _READS),
        DialectRoute("GET /judge0/languages/all", Judge0Routes.all_languages, _READS),
        DialectRoute("GET /judge0/languages/{id}", Judge0Routes.language, _READS),
        # As its server without an administrator's token, and by default.
        DialectRoute("GET /judge0/submissions", refusing(ForbiddenError, _NO_LIST), _READS),
        DialectRoute("POST /judge0/submissions", Judge0Routes.create, ("run",), "if_asked"),
        DialectRoute("GET /judge0/submissions/batch", Judge0Routes.batch, _READS),
        DialectRoute("POST /judge0/submissions/batch", Judge0Routes.create_batch, ("run",)),
        DialectRoute("GET /judge0/submissions/{token}", Judge0Routes.one, _READS),
        DialectRoute("DELETE /judge0/submissions/{token}", refusing(BadRequestError, "delete not allowed"), ("run",)),
    ),
)
