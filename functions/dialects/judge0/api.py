"""The routes of Judge0."""

import base64
import io
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from aws_lambda_powertools.event_handler import Response

from events.limits import ceilings
from events.vocabulary import LANGUAGES, Language
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.dialects.dialect import READS, Dialect, DialectRoutes, answering, json_answer, refusing, route
from functions.dialects.judge0 import views
from functions.dialects.judge0.requests import judge0_problems, read_submission
from functions.errors import BadRequestError, ForbiddenError, InvalidFieldsError, NotFoundError, ServiceError
from functions.http.parameters import SUBMIT_MAX_SECS, uuid
from functions.http.validation import Problems
from functions.submissions.accept.requests import STDIN_MAX_BYTES, size_problems
from functions.submissions.model import Submission
from functions.submissions.results.results import NO_SUCH_RESULT, Results
from functions.submissions.results.short_views import summary_body
from functions.submissions.runners.fleet import Fleet, LanguageDetail, ceilings_of_operator

_INVALID, _CREATED = 422, 201
_EXTRA = "/judge0/extra"
"""The base of clients of Judge0 Extra CE, which has other ids. A submission may have those of both."""
_FIRST_ID_OF_CE = 43
_FILES_MAX_BYTES = 1_048_576
"""Of the files that the runs of one answer left."""


class Judge0Routes(DialectRoutes):
    """The routes. All raise ServiceError."""

    def config_info(self) -> Response[str]:
        most = ceilings(Language.PYTHON, self.profile, self.env[ceilings_of_operator])
        return json_answer(views.config_info(most, self.env.settings.max_queue_depth))

    def about(self) -> Response[str]:
        """Answer with the version whose API this is. Clients require the other fields, and know ids by the version."""
        return json_answer({**_ABOUT, "version": _ABOUT["version"] + "-extra" * self._is_extra})

    def languages(self) -> Response[str]:
        return json_answer(self._languages)

    def all_languages(self) -> Response[str]:
        """Answer with the offered languages again: none is archived here."""
        return json_answer([{**one, "is_archived": False} for one in self._languages])

    def language(self, id_text: str) -> Response[str]:
        """Answer with one language. Its commands are those of the runner, which the API does not show."""
        for one in self._languages:
            if str(one["id"]) == id_text:
                source = views.source_file(views.LANGUAGE_OF[one["id"]])
                hidden = dict.fromkeys(("compile_cmd", "run_cmd"))
                return json_answer({**one, "is_archived": False, "source_file": source, **hidden})
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
        most = _FILES_MAX_BYTES // len(rows)
        return json_answer({"submissions": [None if row is None else self._shown(row, fields, most) for row in rows]})

    @property
    def _is_extra(self) -> bool:
        return self.app.current_event.path.startswith(_EXTRA)

    @property
    def _languages(self) -> list[dict[str, Any]]:
        return languages(self.env[Fleet].toolchains(), is_extra=self._is_extra)

    @property
    def _query(self) -> Mapping[str, str]:
        return self.app.current_event.query_string_parameters

    @property
    def _is_base64(self) -> bool:
        return self._query.get("base64_encoded") == "true"

    def _fields(self) -> tuple[str, ...]:
        return views.requested_fields(self._query.get("fields"))

    def _accept(self, sent: Mapping[str, Any], wait_secs: float = 0) -> Submission:
        present = {name: value for name, value in sent.items() if value not in (None, "")}
        asked = read_submission(present, self.env[Fleet].languages(), is_base64=self._is_base64)
        if "redirect_stderr_to_stdout" in present:  # true may be a text, or 1
            present["redirect_stderr_to_stdout"] = asked.redirect_stderr_to_stdout
        kept = views.KeptRequest.of(present, asked.expected_output)
        problems = Problems()
        problems.add(size_problems("stdin", asked.stdin, STDIN_MAX_BYTES))
        body = asked.body(self.profile, self.env[ceilings_of_operator])
        request = self.checked({**body, "metadata": kept.metadata}, problems)
        program = replace(request.program, stdin=asked.stdin)
        return self.run(replace(request, program=program, webhook_secret=None), wait_secs)

    def _find(self, token: str) -> Submission | None:
        try:
            return self.env[Results].find(uuid(token), self.project.project_id)
        except BadRequestError:  # no token is anything but a UUID
            return None

    def _shown(self, row: Submission, fields: tuple[str, ...], most: int = _FILES_MAX_BYTES) -> dict[str, Any]:
        """Return the fields of a submission. `most`: bytes of the files that it left."""
        texts: dict[str, bytes | None] = {"compile_output": (row.compilation or {}).get("stderr", "").encode()}
        if row.is_final:
            texts["stdout"], texts["stderr"] = self.outputs(row)
        if views.PROGRAM & set(fields):
            code, stdin, files = self._program(row)
            texts |= {"source_code": code, "stdin": stdin, "additional_files": archive(files)}
            if row.is_final:
                files = ({} if code is None else {views.source_file(row.language): code}) | files
                texts["post_execution_filesystem"] = archive(files | self._left_files(row, most))
        shown = {**summary_body(row), "callback_url": row.webhook_url}
        return views.submission_body(shown, texts, fields, is_base64=self._is_base64)

    def _program(self, row: Submission) -> tuple[bytes | None, bytes | None, dict[str, bytes]]:
        """Return code, stdin and files: of the row until the end, then as long as programs are kept."""
        if row.code is not None:
            return row.code, row.stdin, {file.path: file.content or b"" for file in row.files}
        try:
            request, _ = self.env[Results].kept_request(row)
        except NotFoundError:
            return None, None, {}
        files = {file["path"]: _content(file) for file in request.get("files", ())}
        return request["code"].encode(), request.get("stdin", "").encode(), files

    def _left_files(self, row: Submission, most: int) -> dict[str, bytes]:
        """Return the files that a run made or changed, as far as they fit into `most` bytes."""
        found = {}
        for file in row.stored_artifacts:
            if file["size"] <= most:
                most -= file["size"]
                with suppress(PayloadMissingError):  # deleted since the row was read
                    found[file["path"]] = self.env[Payloads].get_output(row.submission_id, file["key"])
        return found


def _content(file: Mapping[str, Any]) -> bytes:
    """Return the bytes of a file of a kept request; none of one that the project stores."""
    if (encoded := file.get("content_base64")) is not None:
        return base64.b64decode(encoded)
    return str(file.get("content", "")).encode()


def archive(files: Mapping[str, bytes]) -> bytes | None:
    """Return a zip archive of files by their paths; None without any."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as made:
        for path, content in sorted(files.items()):
            made.writestr(path, content)
    return raw.getvalue() if files else None


def languages(details: Iterable[LanguageDetail], *, is_extra: bool) -> list[dict[str, Any]]:
    """Return the ids of CE or of Extra CE, each with the version of our toolchain: `Python (Python 3.13.5)`."""
    found = []
    for one in details:
        row = LANGUAGES[Language(one["name"])]
        ids = [number for number in row.judge0_ids if (number < _FIRST_ID_OF_CE) == is_extra]
        name = row.title + "".join(f" ({toolchain})" for toolchain in one["toolchains"][-1:])
        found += [{"id": number, "name": name if number == ids[0] else f"{name}, id {number}"} for number in ids]
    return sorted(found, key=lambda one: one["id"])


def _check_batch(count: int) -> None:
    if count > views.MAX_BATCH:
        raise BadRequestError(f"number of submissions in a batch should be less than or equal to {views.MAX_BATCH}")
    if count == 0:
        raise BadRequestError("there should be at least one submission in a batch")


_ABOUT = {
    "version": "1.13.1",
    "homepage": "https://judge0.com",
    "source_code": "https://github.com/judge0/judge0",
    "maintainer": "Herman Zvonimir Došilović <hermanz.dosilovic@gmail.com>",
}
_STATUSES = [{"id": id_, "description": text} for id_, text in views.STATUSES.items()]
_NO_LIST = "Submissions are not listed here. GET /api/results lists those of the project."


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    if status == _INVALID:
        return status, judge0_problems((one["field"], one["message"]) for one in said["fields"])
    return status, {"error": said["message"]}


_ROUTES = (
    route("GET /judge0/about", Judge0Routes.about, READS),
    route("POST /judge0/authenticate", answering({}), ("run",)),
    route("POST /judge0/authorize", answering({}), ("run",)),
    route("GET /judge0/config_info", Judge0Routes.config_info, READS),
    route("GET /judge0/statuses", answering(_STATUSES), READS),
    route("GET /judge0/languages", Judge0Routes.languages, READS),
    route("GET /judge0/languages/all", Judge0Routes.all_languages, READS),
    route("GET /judge0/languages/{id}", Judge0Routes.language, READS),
    # As its server without an administrator's token, and by default.
    route("GET /judge0/submissions", refusing(ForbiddenError, _NO_LIST), READS),
    route("POST /judge0/submissions", Judge0Routes.create, ("run",), "if_asked"),
    route("GET /judge0/submissions/batch", Judge0Routes.batch, READS),
    route("POST /judge0/submissions/batch", Judge0Routes.create_batch, ("run",)),
    route("GET /judge0/submissions/{token}", Judge0Routes.one, READS),
    route("DELETE /judge0/submissions/{token}", refusing(BadRequestError, "delete not allowed"), ("run",)),
)
_POLLS = [row for row in _ROUTES if row.serve in {Judge0Routes.languages, Judge0Routes.language, Judge0Routes.one}]
"""Its IDE sends them without a header, so it has the key in an address."""
_BASES = {"/judge0": _ROUTES, _EXTRA: _ROUTES, "/judge0/key/{key}": _POLLS, f"{_EXTRA}/key/{{key}}": _POLLS}
JUDGE0 = Dialect(
    "judge0",
    ("x-auth-token", "x-rapidapi-key", "x-apihub-key"),
    _error,
    Judge0Routes,
    [row._replace(key=row.key.replace("/judge0", base)) for base, rows in _BASES.items() for row in rows],
)
