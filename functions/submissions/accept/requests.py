"""Check and normalise the body of POST /api/submit.

All wrong fields are named at once. A wrong shape raises InvalidFieldsError (422). An unsupported language, and code or
stdin over their limits, raise BadRequestError (400) where the shape is right. Unknown fields are ignored and named in
`warnings`; misspelt ones, and all unknown ones inside `limits`, are refused.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from events.limits import RaisedCeilings, default_wall_secs
from events.network import MAX_SECRETS, NAME_OF_SECRET, Network
from events.program import Program
from events.requested import Requested
from events.variables import Environment
from events.vocabulary import Language, Profile, canonical
from functions.errors import BadRequestError, FieldProblem
from functions.http.validation import (
    AllowList,
    Constant,
    Problems,
    StrictModel,
    Text,
    checked,
    metadata_problems,
    read_object,
    unknown_fields,
)
from functions.projects.model import Project
from functions.submissions.accept.program_fields import (
    ARTIFACTS,
    Arguments,
    ArtifactsRequest,
    CompileArgs,
    Files,
    LimitRules,
    RequestLimits,
    Variables,
    artifact_problems,
    checked_files,
    chosen_artifacts,
    file_meaning,
    variable_problems,
)
from functions.submissions.model import MARK_OF_CHECK, Submission
from functions.submissions.queues import execution_requested
from functions.webhooks.signature import InvalidSecretError, parse_secret
from functions.webhooks.webhook_url import PUBLIC_ONLY, AddressRules

CODE_MAX_BYTES = 65_536
STDIN_MAX_BYTES = 262_144
REFUSED_FIELDS: Final = MappingProxyType(
    {
        "source_code": "Send the program as code.",
        "language_id": "Send the name of the language as language: GET /api/languages lists them.",
        "callback_url": "Send webhook_url and webhook_secret: the webhook is signed.",
    }
)
"""Fields of other services that stand for a field of this one."""
_IGNORED_FIELDS: Final = MappingProxyType(
    {
        "env": "A judge run has no variables. Give the program stdin or files.",
        "packages": "Nothing is installed for a run: send the modules as files.",
        "expected_output": "POST /api/judge compares outputs.",
        "cpu_time_limit": "Send limits.cpu_time_secs.",
        "memory_limit": "Send limits.memory_mb.",
    }
)
"""Fields of other services that are ignored here, each with what to send instead."""
NETWORK_NEEDS_AGENT = 'Only the agent profile has network. Send "profile": "agent", or leave network out.'


MetadataName = Annotated[Text, Field(min_length=1)]


class ProgramRequest(BaseModel):
    """The fields of a program to run, and of its webhook. null means the default of an optional field."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    language: Text = Field(
        description="One of GET /api/languages, or an alias: py, c++, cxx, cc, js, ts, rs. Case-insensitive.",
        examples=["python", "c", "javascript"],
    )
    # Sizes count bytes and are answered with 400, so the code below checks them; the model only documents them.
    code: Text = Field(
        min_length=1, repr=False, description="At most 65,536 bytes.", json_schema_extra={"maxLength": CODE_MAX_BYTES}
    )
    profile: Profile | None = Field(default=None, strict=False, description="judge (default) or agent.")
    limits: RequestLimits | None = Field(default=None, description="Overrides within the profile's ceilings.")
    webhook_url: Text | None = Field(default=None, description="An extra target for the event of this run's end.")
    webhook_secret: Text | None = Field(
        default=None,
        repr=False,
        description="Required with webhook_url, 1 to 256 bytes. whsec_<base64> signs as in Standard Webhooks; "
        "any other text signs with its own bytes.",
    )
    files: Files | None = Field(
        default=None,
        repr=False,
        description="Files for the program, in its working directory; sources among them are compiled with code.",
    )
    compile_args: CompileArgs | None = Field(
        default=None, description="Options of the compiler, one each.", examples=[["-O2", "-std=c++20", "-Wall"]]
    )
    metadata: dict[MetadataName, Text] | None = Field(
        default=None, description="Echoed in results and webhooks. At most 16 keys and 2,048 bytes in all."
    )


SecretNames = Annotated[
    list[Annotated[Text, Field(pattern=f"^{NAME_OF_SECRET}$")]], Field(min_length=1, max_length=MAX_SECRETS)
]


class NetworkRequest(StrictModel):
    """The hosts that a program may reach. Without it, it has no network."""

    allow: AllowList | None = Field(
        description="1 to 32 entries name[:port]; the default port is 443. A leading *. stands for one or more labels. "
        "No addresses.",
        examples=[["api.example.com", "*.example.org", "db.example.com:5432"]],
        default=None,
    )
    secrets: SecretNames | None = Field(
        default=None,
        description="Names of the project's secrets for its requests to their hosts: PUT /api/secrets/{name}.",
        examples=[["github"]],
    )


def secret_problems(network: NetworkRequest | None) -> list[FieldProblem]:
    """Return what is wrong with a network whose fields are right one by one."""
    if network is None:
        return []
    if not network.allow and not network.secrets:
        return [
            FieldProblem(
                "network",
                "Name hosts in allow, or secrets, or leave network out.",
                of=("network.allow", "network.secrets"),
            )
        ]
    if len(set(network.secrets or ())) < len(network.secrets or ()):
        return [FieldProblem("network.secrets", "Name each secret once.")]
    return []


class SubmitRequest(ProgramRequest):
    """Body of POST /api/submit. null means the default of an optional field."""

    stdin: Text | None = Field(
        default=None, repr=False, description="At most 262,144 bytes. Empty: the program reads end of file immediately."
    )
    args: Arguments | None = Field(default=None, description="Arguments of the program.", examples=[["--size", "3"]])
    network: NetworkRequest | None = Field(default=None, description="Only in the agent profile. null: no network.")
    artifacts: ArtifactsRequest | None = Field(default=None, description=ARTIFACTS)
    env: Variables | None = Field(
        default=None,
        repr=False,
        description="Environment variables of the program. Sealed until it has run, and never shown. Its output is not "
        "masked.",
        examples=[{"LOG_LEVEL": "debug"}],
    )
    keep_code: bool | None = Field(
        default=None, description="Keep the program for 24 h, for GET /api/result/{id}/program."
    )


_NOT_KEPT: Final = {"keep_code", "env", "metadata", "webhook_url", "webhook_secret"}
"""Fields of a request that are not part of its program."""


_NOT_SAID: Final = {"environment", "artifact_patterns", "sealed_secrets"}
"""Fields of a program that a repeat with the same Idempotency-Key need not have, or that have another name there."""
_ALWAYS_SAID: Final = {"code", "stdin", "limits"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidSubmission:
    """A valid request for a run.

    `kept_program`: the request to keep, in JSON; None: it is not kept. `warnings`: sentences for the answer.
    """

    outlasts_client: ClassVar[bool] = False
    """A short run writes its row once, in its final state."""

    program: Program
    metadata: Mapping[str, str] = field(default_factory=dict)
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    kept_program: str | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def wall_budget_secs(self) -> int:
        """Wall time of the run step in whole seconds, rounded up."""
        return math.ceil(wall_secs(self.program))

    @property
    def body_sha256(self) -> str:
        """Digest of the normalised request: spelling, order and unknown fields do not change it."""
        return hashlib.sha256(json.dumps(self.said, sort_keys=True).encode()).hexdigest()

    @property
    def said(self) -> dict[str, Any]:
        """What a repeat with the same Idempotency-Key must say too. A new field is only in it if it is not empty."""
        program = self.program
        fields = {name: getattr(program, name) for name in Program.__dataclass_fields__ if name not in _NOT_SAID}
        values = fields | {
            "code": (program.code or b"").decode(),
            "stdin": (program.stdin or b"").decode(errors="surrogateescape"),  # the body of a call may be no UTF-8
            "limits": dict(program.limits),
            "files": [file_meaning(file) for file in program.files],
            "env": None if program.environment is None or self.is_of_check else program.environment.variables,
            "artifacts": program.artifact_patterns,
            "keep_code": self.kept_program is not None,
        }
        return {name: value for name, value in values.items() if value or name in _ALWAYS_SAID} | {
            "metadata": dict(self.metadata),
            "webhook_url": self.webhook_url,
            "webhook_secret": self.webhook_secret,
        }

    @property
    def is_of_check(self) -> bool:
        """Whether its project's checks submit it. Its repeats find it by their key, whatever their event is."""
        return MARK_OF_CHECK in self.metadata

    @property
    def row_values(self) -> dict[str, Any]:
        """What its row has beside its program and the fields of all rows."""
        return {}

    def requested(self, row: Submission, *, is_direct: bool) -> Requested:  # noqa: ARG002 - that of a judge run needs it
        """Return the message of a row that has its whole program, the same over HTTP and over a queue."""
        return execution_requested(row, row.created_at)


def wall_secs(program: Program) -> float:
    """Return the wall time of the run step."""
    default_secs = default_wall_secs(Language(program.language), Profile(program.profile))
    return program.limits.get("wall_time_secs", default_secs)


@dataclass(frozen=True, slots=True)
class ProgramRules:
    """What the check of a program needs beside its body. `raised`: ceilings of limits.

    `project`: whose profiles and network it must fit; None: a later check does that.
    """

    offered: tuple[Language, ...]
    addresses: AddressRules = PUBLIC_ONLY
    raised: RaisedCeilings | None = None
    project: Project | None = None


def parse_submission(
    raw: bytes,
    *,
    offered: Iterable[Language],
    rules: AddressRules = PUBLIC_ONLY,
    raised: RaisedCeilings | None = None,
) -> ValidSubmission:
    """Check a request body. `raised`: ceilings of limits. Raises ServiceError."""
    return check_submission(read_body(raw), ProgramRules(tuple(offered), rules, raised), Problems())


def check_submission(body: Mapping[str, Any], rules: ProgramRules, problems: Problems) -> ValidSubmission:
    """Check a parsed body. `problems`: those found before. Raises ServiceError with all of them."""
    submission = read_submission(body, rules, problems)
    problems.refuse()
    return submission


def read_submission(body: Mapping[str, Any], rules: ProgramRules, problems: Problems) -> ValidSubmission:
    """Return the submission of a parsed body, and add its problems. With any of them, it is not to be run."""
    request = checked(SubmitRequest, body, REFUSED_FIELDS, problems)
    submission, _ = checked_program(request, body, problems, rules)
    program, stdin = submission.program, (request.stdin or "").encode()
    problems.add(size_problems("stdin", stdin, STDIN_MAX_BYTES))
    if request.network is not None and program.profile != Profile.AGENT:
        problems.add([FieldProblem("network", NETWORK_NEEDS_AGENT, of=("profile",))])
    problems.add(artifact_problems(request.artifacts))
    problems.add(variable_problems(request.env or {}))
    problems.add(secret_problems(request.network))
    network = Network.of(request.network.allow).entries if request.network and request.network.allow else ()
    if rules.project is not None:
        problems.add(rules.project.refusals(Profile(program.profile), network))
    kept = _program(request, program.language) if request.keep_code and not problems else None
    program = replace(
        program,
        stdin=stdin,
        args=tuple(request.args or ()),
        network=network,
        secrets=tuple((request.network and request.network.secrets) or ()),
        artifact_patterns=chosen_artifacts(request.artifacts),
        environment=Environment(request.env) if request.env else None,
    )
    return replace(submission, program=program, kept_program=kept)


def _program(request: SubmitRequest, language: str) -> str:
    """Return a request as it is kept: with the name of the language, not an alias."""
    named = request.model_copy(update={"language": language})
    return named.model_dump_json(exclude=_NOT_KEPT, exclude_defaults=True)


def read_body(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object without NaN and infinity outside `limits`. Raises BadRequestError, InvalidFieldsError."""
    body, constants = read_object(raw)
    _refuse_constants(body, constants)
    return body


def checked_program(
    request: ProgramRequest, body: Mapping[str, Any], problems: Problems, rules: ProgramRules
) -> tuple[ValidSubmission, LimitRules]:
    """Return the program of a request with the rules of its limits, and add its problems.

    A language that is not offered has a stand-in.
    """
    language = canonical(request.language)
    if language not in rules.offered:
        text = f"This language is not supported. Offered: {', '.join(rules.offered) or 'none at the moment'}."
        problems.add([FieldProblem("language", text, code="bad_request")])
        language = None
    code = request.code.encode()
    problems.add(size_problems("code", code, CODE_MAX_BYTES))
    profile = request.profile or Profile.JUDGE
    limit_rules = LimitRules(
        (language,) if language else rules.offered,
        tuple(Profile) if problems.is_refused("profile") else (profile,),
        rules.raised,
    )
    limits, wrong = limit_rules.check(request.limits)
    problems.add(wrong)
    problems.add(_webhook_problems(request.webhook_url, request.webhook_secret, rules.addresses))
    problems.add(metadata_problems("metadata", request.metadata or {}))
    compile_args = tuple(request.compile_args or ())
    files, wrong = checked_files(request.files or (), compile_args, language)
    problems.add(wrong)
    submission = ValidSubmission(
        program=Program(
            language=(language or Language.PYTHON).value,
            profile=profile.value,
            code=code,
            limits=limits,
            files=files,
            compile_args=compile_args,
        ),
        metadata=request.metadata or {},
        webhook_url=request.webhook_url,
        webhook_secret=request.webhook_secret,
        warnings=tuple(
            f"The field {name} is unknown and was ignored. {_IGNORED_FIELDS.get(name, '')}".rstrip()
            for name in unknown_fields(type(request), body)
        ),
    )
    return submission, limit_rules


def _refuse_constants(body: Mapping[str, Any], constants: int) -> None:
    limits = body.get("limits")
    within = [value for value in limits.values() if isinstance(value, Constant)] if isinstance(limits, dict) else []
    if constants != len(within):
        raise BadRequestError("The body is not valid JSON: NaN and Infinity are no JSON numbers.")


def size_problems(name: str, raw: bytes, max_bytes: int) -> Iterator[FieldProblem]:
    """Yield a problem if a field is over its limit."""
    if len(raw) > max_bytes:
        text = f"{name} is too large: {len(raw):,} bytes, the limit is {max_bytes:,} bytes."
        yield FieldProblem(name, text, code="bad_request")


def _webhook_problems(url: str | None, secret: str | None, rules: AddressRules) -> list[FieldProblem]:
    problems = []
    if url is not None:
        if (refused := rules.problem(url, "webhook_url")) is not None:
            problems.append(refused)
        if secret is None:
            problems.append(FieldProblem("webhook_secret", "Required with webhook_url."))
    if secret is not None:
        try:
            parse_secret(secret)
        except InvalidSecretError as invalid:
            problems.append(FieldProblem("webhook_secret", str(invalid)))
        if url is None:
            problems.append(FieldProblem("webhook_url", "Required with webhook_secret."))
    return problems
