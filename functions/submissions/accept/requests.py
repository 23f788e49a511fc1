"""Check and normalise the body of POST /api/submit.

All wrong fields are named at once. A wrong shape raises InvalidFieldsError (422). An unsupported language, and code or
stdin over their limits, raise BadRequestError (400) where the shape is right. Unknown fields are ignored and named in
`warnings`; misspelt ones, and all unknown ones inside `limits`, are refused.
"""

import dataclasses
import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from events.files import PlacedFile
from events.limits import HIGHEST_CEILINGS, LEAST_OPEN_FILES, RaisedCeilings, ceilings, default_wall_secs
from events.network import Network
from events.variables import Environment
from events.vocabulary import Language, Profile, canonical
from functions.errors import BadRequestError, FieldProblem
from functions.http.validation import (
    AllowList,
    Constant,
    Problems,
    Text,
    checked,
    metadata_problems,
    read_object,
    unknown_fields,
)
from functions.projects.model import Project
from functions.submissions.accept.file_fields import (
    ARTIFACTS,
    Arguments,
    ArtifactsRequest,
    CompileArgs,
    Files,
    RunFile,
    artifact_problems,
    checked_files,
    chosen_artifacts,
)
from functions.webhooks.signature import InvalidSecretError, parse_secret
from functions.webhooks.webhook_url import PUBLIC_ONLY, AddressRules

_WHOLE = frozenset({"memory_mb", "max_processes", "output_kb", "file_size_mb", "open_files", "stack_mb"})


def _as_float(value: object) -> object:
    """Turn an integer beyond the float range into infinity: it gets the same answer as other large values."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > sys.float_info.max:
        return math.inf if value > 0 else -math.inf
    return value


# The model accepts every number: the message of `check_limits` names the ceiling. The schema shows the bounds.
Cpu = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": HIGHEST_CEILINGS["cpu_time_secs"]}),
]
Wall = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": HIGHEST_CEILINGS["wall_time_secs"]}),
]
Whole = Annotated[float, BeforeValidator(_as_float), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1024})]

Memory = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": HIGHEST_CEILINGS["memory_mb"]}),
]
Output = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": HIGHEST_CEILINGS["output_kb"]}),
]
FileSize = Annotated[
    float, BeforeValidator(_as_float), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100})
]
OpenFiles = Annotated[
    float,
    BeforeValidator(_as_float),
    WithJsonSchema({"type": "integer", "minimum": LEAST_OPEN_FILES, "maximum": 1024}),
]


class RequestLimits(BaseModel):
    """Limits of the run step. Missing or null: the language's default. Unknown names are refused.

    `GET /api/languages?detail=true` has the ceilings of this deployment, by language and profile.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    cpu_time_secs: Cpu | None = None
    wall_time_secs: Wall | None = None
    memory_mb: Memory | None = None
    max_processes: Whole | None = None
    output_kb: Output | None = None
    file_size_mb: FileSize | None = None
    open_files: OpenFiles | None = None
    stack_mb: Whole | None = None


def check_limits(
    limits: RequestLimits | None, language: Language, profile: Profile, raised: RaisedCeilings | None = None
) -> tuple[dict[str, int | float], list[FieldProblem]]:
    """Return the valid limits, whole numbers as int, and the problems."""
    accepted: dict[str, int | float] = {}
    problems = []
    top = dataclasses.asdict(ceilings(language, profile, raised))
    for name, value in limits.model_dump(exclude_none=True).items() if limits else ():
        whole = math.isfinite(value) and value == int(value)
        least = LEAST_OPEN_FILES if name == "open_files" else 1
        is_low = value < least if name in _WHOLE else value <= 0
        if is_low or not value <= top[name] or (name in _WHOLE and not whole):  # NaN fails every comparison
            kind = f"a whole number from {least}" if name in _WHOLE else "a number above 0 and"
            text = f"Must be {kind} up to {top[name]}, the ceiling for {language} in the {profile} profile."
            problems.append(FieldProblem(f"limits.{name}", text))
        else:
            accepted[name] = int(value) if whole else value
    return accepted, problems


@dataclass(frozen=True, slots=True)
class LimitRules:
    """The languages and profiles for which limits may be meant: one each, or several if a request does not say it."""

    languages: tuple[Language, ...]
    profiles: tuple[Profile, ...]
    raised: RaisedCeilings | None = None

    @property
    def language(self) -> Language | None:
        """The language of the program; None if it is unknown."""
        return self.languages[0] if len(self.languages) == 1 else None

    def check(self, limits: RequestLimits | None) -> tuple[dict[str, int | float], list[FieldProblem]]:
        """Check limits as `check_limits` does. They must be valid for one language and one profile."""
        answers = (
            check_limits(limits, language, profile, self.raised)
            for language in self.languages
            for profile in self.profiles
        )
        return min(answers, key=lambda answer: len(answer[1]), default=({}, []))


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
        "env": "Only runs of checks have variables. Give the program stdin or files.",
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


class NetworkRequest(BaseModel):
    """The hosts that a program may reach. Without it, it has no network."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    allow: AllowList = Field(
        description="1 to 32 entries name[:port]; the default port is 443. A leading *. stands for one or more labels. "
        "No addresses.",
        examples=[["api.example.com", "*.example.org", "db.example.com:5432"]],
    )


class SubmitRequest(ProgramRequest):
    """Body of POST /api/submit. null means the default of an optional field."""

    stdin: Text | None = Field(
        default=None, repr=False, description="At most 262,144 bytes. Empty: the program reads end of file immediately."
    )
    args: Arguments | None = Field(default=None, description="Arguments of the program.", examples=[["--size", "3"]])
    network: NetworkRequest | None = Field(default=None, description="Only in the agent profile. null: no network.")
    artifacts: ArtifactsRequest | None = Field(default=None, description=ARTIFACTS)
    keep_code: bool | None = Field(
        default=None, description="Keep the program for 24 h, for GET /api/result/{id}/program."
    )


_NOT_KEPT: Final = {"keep_code", "metadata", "webhook_url", "webhook_secret"}
"""Fields of a request that are not part of its program."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A valid request. `limits` has only the values that the client set. `environment`: of runs of checks only.

    `network`: the entries `name:port` that the program may reach, each once, in order.
    `artifacts`: patterns of the files that are kept, or `changed`.
    `kept_program`: the request to keep, in JSON; None: it is not kept.
    `files`: in the order of their paths. `placed_files`: the same for a runner, once the stored ones are held.
    `warnings`: sentences for the answer.
    """

    language: Language
    profile: Profile
    code: bytes = field(repr=False)
    stdin: bytes = field(repr=False)
    limits: Mapping[str, int | float]
    metadata: Mapping[str, str]
    webhook_url: str | None
    webhook_secret: str | None = field(repr=False)
    environment: Environment | None = None
    network: tuple[str, ...] = ()
    artifacts: tuple[str, ...] | str | None = None
    kept_program: str | None = field(default=None, repr=False)
    files: tuple[RunFile, ...] = ()
    compile_args: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    placed_files: tuple[PlacedFile, ...] = field(default=(), repr=False, compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def wall_budget_secs(self) -> int:
        """Wall time of the run step in whole seconds, rounded up."""
        return math.ceil(self.limits.get("wall_time_secs", default_wall_secs(self.language, self.profile)))

    @property
    def body_sha256(self) -> str:
        """Digest of the normalised request: spelling, order and unknown fields do not change it."""
        return hashlib.sha256(json.dumps(self._meaning(), sort_keys=True).encode()).hexdigest()

    def _meaning(self) -> dict[str, Any]:
        network = {"network": self.network} if self.network else {}
        artifacts = {} if self.artifacts is None else {"artifacts": self.artifacts}
        files = {"files": [file.meaning for file in self.files]} if self.files else {}
        kept = {} if self.kept_program is None else {"keep_code": True}
        options = {"compile_args": list(self.compile_args)} if self.compile_args else {}
        args = {"args": list(self.args)} if self.args else {}
        return {
            **network,
            **artifacts,
            **files,
            **options,
            **args,
            **kept,
            "language": self.language,
            "profile": self.profile,
            "code": self.code.decode(),
            "stdin": self.stdin.decode(errors="surrogateescape"),  # the body of a call may be no UTF-8
            "limits": dict(self.limits),
            "metadata": dict(self.metadata),
            "webhook_url": self.webhook_url,
            "webhook_secret": self.webhook_secret,
        }


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
) -> RunRequest:
    """Check a request body. `raised`: ceilings of limits. Raises ServiceError."""
    return check_submission(read_body(raw), ProgramRules(tuple(offered), rules, raised), Problems())


def check_submission(body: Mapping[str, Any], rules: ProgramRules, problems: Problems) -> RunRequest:
    """Check a parsed body. `problems`: those found before. Raises ServiceError with all of them."""
    run = read_submission(body, rules, problems)
    problems.refuse()
    return run


def read_submission(body: Mapping[str, Any], rules: ProgramRules, problems: Problems) -> RunRequest:
    """Return the run of a parsed body, and add its problems. With any of them, it is not to be run."""
    request = checked(SubmitRequest, body, REFUSED_FIELDS, problems)
    run, _ = checked_program(request, body, problems, rules, request.stdin or "")
    if request.network is not None and run.profile is not Profile.AGENT:
        problems.add([FieldProblem("network", NETWORK_NEEDS_AGENT, of=("profile",))])
    problems.add(artifact_problems(request.artifacts))
    network = Network.of(request.network.allow).entries if request.network and request.network.allow else ()
    if rules.project is not None:
        problems.add(rules.project.refusals(run.profile, network))
    args, artifacts = tuple(request.args or ()), chosen_artifacts(request.artifacts)
    kept = _program(request, run.language) if request.keep_code and not problems else None
    return replace(run, args=args, network=network, artifacts=artifacts, kept_program=kept)


def _program(request: SubmitRequest, language: Language) -> str:
    """Return a request as it is kept: with the name of the language, not an alias."""
    named = request.model_copy(update={"language": language.value})
    return named.model_dump_json(exclude=_NOT_KEPT, exclude_defaults=True)


def read_body(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object without NaN and infinity outside `limits`. Raises BadRequestError, InvalidFieldsError."""
    body, constants = read_object(raw)
    _refuse_constants(body, constants)
    return body


def checked_program(
    request: ProgramRequest,
    body: Mapping[str, Any],
    problems: Problems,
    rules: ProgramRules,
    stdin: str = "",
) -> tuple[RunRequest, LimitRules]:
    """Return the program of a request with the rules of its limits, and add its problems.

    A language that is not offered has a stand-in.
    """
    language = canonical(request.language)
    if language not in rules.offered:
        text = f"This language is not supported. Offered: {', '.join(rules.offered) or 'none at the moment'}."
        problems.add([FieldProblem("language", text, code="bad_request")])
        language = None
    code, input_bytes = request.code.encode(), stdin.encode()
    problems.add(size_problems("code", code, CODE_MAX_BYTES))
    problems.add(size_problems("stdin", input_bytes, STDIN_MAX_BYTES))
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
    unknown = unknown_fields(type(request), body)
    run = RunRequest(
        language or Language.PYTHON,
        profile,
        code,
        input_bytes,
        limits,
        request.metadata or {},
        request.webhook_url,
        request.webhook_secret,
        files=files,
        compile_args=compile_args,
        warnings=tuple(
            f"The field {name} is unknown and was ignored. {_IGNORED_FIELDS.get(name, '')}".rstrip() for name in unknown
        ),
    )
    return run, limit_rules


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
