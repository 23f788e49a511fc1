"""The routes of /api/problems."""

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.env import Env
from functions.errors import NotFoundError
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error, GatewayError
from functions.http.openapi.operation import BAD, KEYED, LIMITED, PAGE, TAKES_BODY, Answer, path
from functions.http.parameters import page_limit, start_after, write_cursor
from functions.http.resolver import Resolver, Route
from functions.judging.api import BODY_MAX_BYTES, JUDGE_ROUTES, JudgeRoutes
from functions.judging.model import read_reference
from functions.judging.problem_store import UNKNOWN, ProblemStore, StoredProblems, version_of
from functions.judging.problems import (
    ProblemBody,
    ProblemDeleted,
    ProblemDetails,
    ProblemPage,
    ProblemPushed,
    ProblemValid,
    ValidProblem,
    details_body,
    parse_problem,
    pushed_body,
    summary_body,
)
from functions.projects.authentication import authenticate
from functions.projects.changes import Change, record
from functions.submissions.runners.fleet import Fleet, ceilings_of_operator

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProblemRoutes:
    """The routes. All raise ServiceError."""

    env: Env

    def push(self, app: Resolver) -> Response[str]:
        env, project, request = self.env, authenticate(app.current_event, self.env), self._parsed(app)
        before = env[ProblemStore].get(project.project_id, request.problem_id)
        after = {"version": version_of(request), "cases": len(request.judging.cases)}
        known = None if before is None else {name: getattr(before, name) for name in after}
        change = Change(project.project_id, "problem.pushed", request.problem_id, known, after)
        pushed = record(env, app.current_event, change, partial(env[StoredProblems].push, project, request))
        return answer(pushed_body(pushed, request.content.warnings))

    def validate(self, app: Resolver) -> Response[str]:
        """Refuse what `push` would refuse of the body. Say what it would change, and which files it needs."""
        project_id, request = authenticate(app.current_event, self.env).project_id, self._parsed(app)
        version, is_last, missing = self.env[StoredProblems].compare(project_id, request)
        body: ProblemValid = {"valid": True, "version": version, "is_last": is_last, "missing": missing}
        return answer(body)

    def _parsed(self, app: Resolver) -> ValidProblem:
        return parse_problem(
            json_body(app.current_event, BODY_MAX_BYTES),
            offered=self.env[Fleet].languages(),
            raised=self.env[ceilings_of_operator],
        )

    def page(self, app: Resolver) -> Response[str]:
        event = app.current_event
        project_id = authenticate(event, self.env).project_id
        query, owner = event.query_string_parameters, f"{project_id} problems"
        page = self.env[ProblemStore].page(project_id, page_limit(query), start_after(query, owner, _ID))
        after = page.next_created_key
        return answer(
            {
                "items": [summary_body(problem) for problem in page.rows],
                "next_cursor": write_cursor(owner, after) if after else None,
            }
        )

    def one(self, app: Resolver, name: str) -> Response[str]:
        project_id = authenticate(app.current_event, self.env).project_id
        return answer(details_body(*self.env[StoredProblems].find(project_id, name)))

    def delete(self, app: Resolver, name: str) -> Response[str]:
        env = self.env
        project_id = authenticate(app.current_event, env).project_id
        reference = read_reference(name)
        problem = None if reference is None else env[ProblemStore].get(project_id, reference.problem_id)
        if reference is None or problem is None or reference.version not in {None, *problem.versions}:
            raise NotFoundError(UNKNOWN)
        change = Change(project_id, "problem.deleted", name, {"versions": sorted(problem.versions)})
        if reference.version is None:
            record(env, app.current_event, change, partial(env[StoredProblems].delete, problem))
            return answer({"id": problem.problem_id, "deleted": True})
        write = partial(env[StoredProblems].delete_version, problem, reference.version)
        record(env, app.current_event, change._replace(before=None), write)
        return answer({"id": problem.problem_id, "version": reference.version, "deleted": True})


_NAME = path("name", {"type": "string"}, "`id`, or `id@version`. Without a version: the one that was pushed last.")
_UNKNOWN: Answer = ("`not_found`: the project has no such problem or version.", (Error,))
_EXAMPLES: dict[str, Any] = {
    "typical": {
        "value": {
            "id": "sum",
            "cases": [
                {"id": "sample-1", "stdin": "1 2\n", "expected": "3\n"},
                {
                    "id": "large-1",
                    "stdin_sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                    "expected": "42\n",
                    "visibility": "verdict",
                },
            ],
            "limits": {"cpu_time_secs": 2},
        }
    }
}

PROBLEM_ROUTES: tuple[Route[ProblemRoutes], ...] = (
    Route(
        "POST /api/problems",
        ProblemRoutes.push,
        "pushProblem",
        "Store a problem, or a new version of it",
        {
            200: ("Stored. Equal content has the same version.", (ProblemPushed,)),
            400: ("`bad_request`: the JSON is broken.", (Error,)),
            409: (
                "`files_missing`: the project does not store files that it names; `missing` has them.",
                (Error,),
            ),
            **TAKES_BODY,
            413: ("`too_large`: the body is over 5 MiB. The gateway answers this over 6 MB.", (Error, GatewayError)),
            429: LIMITED,
        },
        request=ProblemBody,
        examples=_EXAMPLES,
        rights=("files",),
    ),
    Route(
        "POST /api/problems/validate",
        ProblemRoutes.validate,
        "validateProblem",
        "Check a problem without storing it, and compare it with the version that was pushed last",
        {
            200: ("A push of this body is not refused for it.", (ProblemValid,)),
            400: ("`bad_request`: the JSON is broken.", (Error,)),
            **TAKES_BODY,
            413: ("`too_large`: the body is over 5 MiB. The gateway answers this over 6 MB.", (Error, GatewayError)),
        },
        request=ProblemBody,
        examples=_EXAMPLES,
        rights=("read", "files"),
    ),
    Route(
        "GET /api/problems",
        ProblemRoutes.page,
        "listProblems",
        "The project's problems",
        {200: ("One page.", (ProblemPage,)), 400: BAD, **KEYED},
        PAGE,
        rights=("read", "files"),
    ),
    Route(
        "GET /api/problems/{name}",
        ProblemRoutes.one,
        "getProblem",
        "One problem, without any part of its cases",
        {200: ("A version.", (ProblemDetails,)), 404: _UNKNOWN, **KEYED},
        (_NAME,),
        rights=("read", "files"),
    ),
    Route(
        "DELETE /api/problems/{name}",
        ProblemRoutes.delete,
        "deleteProblem",
        "Delete a problem, or one of its versions",
        {
            200: ("Gone. Judge runs that began keep their cases.", (ProblemDeleted,)),
            404: _UNKNOWN,
            409: ("`conflict`: the version was pushed last, or the problem was pushed meanwhile.", (Error,)),
            **KEYED,
        },
        (_NAME,),
        rights=("files",),
    ),
)


ALL_JUDGING_ROUTES: tuple[Route[JudgeRoutes] | Route[ProblemRoutes], ...] = (*JUDGE_ROUTES, *PROBLEM_ROUTES)
"""For the OpenAPI document."""
