"""Languages and runners of the whole service, from their heartbeats, as a client sees them; their routes."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Literal, TypedDict, cast

from aws_lambda_powertools.event_handler import Response
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from events.evidence import CgroupBackend, IsolationMode
from events.limits import RaisedCeilings, ceilings, raised_ceilings
from events.runner import RunnerHeartbeat
from events.vocabulary import Language, Profile, canonical
from functions import VERSION
from functions.env import Env
from functions.http.answers import answer
from functions.http.openapi.bodies import Count, Error, GatewayError
from functions.http.openapi.operation import BAD, FAILED, OPEN, THROTTLED, query
from functions.http.parameters import detail_flag
from functions.http.resolver import Resolver, Route
from functions.settings import SettingsInvalidError
from functions.submissions.queues import Queues
from functions.submissions.runners.store import RunnerStore


class RunnerProblem(TypedDict):
    """A runner that cannot work."""

    node_id: Annotated[str, Field(description="Empty if no runner is live.")]
    problem: Annotated[str, Field(description="Why, and what to change on its host.")]


class Figures(TypedDict):
    """The figures of the service and its runners."""

    version: Annotated[str, Field(description="Version of this API.")]
    runner_versions: Annotated[list[str], Field(description="Versions of the live runners; several during an upgrade.")]
    enforcement_mode: IsolationMode
    cgroup_backend: CgroupBackend | None
    namespace_support: bool
    network_support: Annotated[bool, Field(description="Whether a live runner takes runs with network.")]
    workers: Annotated[
        Count, Field(description="Slots of all runners that reported in the last minute and are not draining.")
    ]
    queue_depth: Count
    node_id: Annotated[str, Field(description="The live runner with the latest report; empty without any.")]
    problems: Annotated[
        list[RunnerProblem],
        Field(
            description="Runners that cannot work, as they said in the last five minutes; "
            "one of each that say the same. `GET /api/health` also says here that no runner is live."
        ),
    ]


class HealthReport(Figures):
    """`degraded`: no runner is live, so queued runs wait; or the figures could not be read."""

    status: Literal["ok", "degraded"]


class Ready(Figures):
    """At least one runner is live."""

    status: Literal["ready"]


class NotReady(TypedDict):
    """No runner has reported for a minute, or all are stopping."""

    status: Literal["not_ready"]
    error: str


class CeilingsOfLimits(TypedDict):
    """The highest values of `limits`."""

    cpu_time_secs: Count
    wall_time_secs: Count
    memory_mb: Count
    max_processes: Count
    output_kb: Count
    file_size_mb: Count
    open_files: Count
    stack_mb: Count


class CeilingsOfProfiles(TypedDict):
    """The ceilings of `limits` in each profile, as the operator has set them."""

    judge: CeilingsOfLimits
    agent: CeilingsOfLimits


class LanguageDetail(TypedDict):
    """A language, its toolchains on the runners of the last 24 h, and the ceilings of `limits`."""

    name: Language
    toolchains: Annotated[list[str], Field(description="Toolchain versions; several during an upgrade of the fleet.")]
    ceilings: CeilingsOfProfiles
    packages: Annotated[
        dict[str, list[str]],
        Field(description="Versions of the packages that a program may import without installing them, by name."),
    ]


type Languages = Annotated[list[Language], Field(description="A bare array.")]
type LanguageDetails = Annotated[list[LanguageDetail], Field(description="With `detail=true`.")]


def ceilings_of_operator(env: Env) -> RaisedCeilings:
    """Return the ceilings of limits that the operator has raised. Raises SettingsInvalidError."""
    try:
        return raised_ceilings(env.settings.limit_ceilings)
    except ValueError as error:
        raise SettingsInvalidError(f"LIMIT_CEILINGS: {error}") from None


class Fleet:
    """All runners. Without a report in the last 24 h, the languages of the settings are offered; all if it has none."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._runners = env[RunnerStore]

    def languages(self) -> tuple[Language, ...]:
        """Return the offered languages, as of a few seconds ago."""
        return offered_languages(self._recent(), self._env.settings.offered_languages)

    @property
    def takes_network(self) -> bool:
        """Whether a runner takes runs with network; true without any runner, as for the languages."""
        recent = self._recent()
        return not recent or any(heartbeat.network_support for heartbeat in recent)

    def toolchain_versions(self, language: Language) -> list[str]:
        """Return the toolchain versions of a language, as of a few seconds ago."""
        return _versions(self._recent(), language)

    def toolchains(self) -> list[LanguageDetail]:
        """Return the offered languages with toolchain versions, as of a few seconds ago, and ceilings."""
        return toolchain_details(self.languages(), self._recent(), self._env[ceilings_of_operator])

    @property
    def packages(self) -> tuple[str, ...]:
        """Names of the Python packages that all runners have, as of a few seconds ago."""
        return tuple(package_versions(self._recent()))

    def figures(self, queue_depth: int) -> Figures:
        groups = self._runners.list_groups()
        live = [group.heartbeat for group in groups if group.is_live]
        unable = [group.heartbeat for group in groups if group.is_unable]
        return health_figures(live, queue_depth, unable)

    def _recent(self) -> list[RunnerHeartbeat]:
        return [runner.heartbeat for runner in self._runners.recent() if runner.heartbeat.problem is None]


def offered_languages(recent: Sequence[RunnerHeartbeat], fallback: Iterable[str]) -> tuple[Language, ...]:
    """Return the languages of the runners of the last 24 h, in canonical order.

    Without any runner, those of `fallback`; all if it is empty.
    """
    if recent:
        names = {language for heartbeat in recent for language in heartbeat.languages}
    else:
        named = list(fallback) or list(Language)
        names = {language for name in named if (language := canonical(name)) is not None}
    return tuple(language for language in Language if language in names)


def toolchain_details(
    offered: Sequence[Language], recent: Sequence[RunnerHeartbeat], raised: RaisedCeilings
) -> list[LanguageDetail]:
    """Return each offered language with its toolchain versions; several during an upgrade of the fleet."""
    return [
        {
            "name": language,
            "toolchains": _versions(recent, language),
            "ceilings": {
                "judge": cast("CeilingsOfLimits", asdict(ceilings(language, Profile.JUDGE, raised))),
                "agent": cast("CeilingsOfLimits", asdict(ceilings(language, Profile.AGENT, raised))),
            },
            "packages": package_versions(recent) if language is Language.PYTHON else {},
        }
        for language in offered
    ]


def package_versions(recent: Sequence[RunnerHeartbeat]) -> dict[str, list[str]]:
    """Return the versions of the packages that all runners have, by name."""
    reported = [one.packages or {} for one in recent]
    names = set.intersection(*map(set, reported)) if reported else set()
    return {name: sorted({packages[name] for packages in reported}) for name in sorted(names)}


def _versions(recent: Sequence[RunnerHeartbeat], language: Language) -> list[str]:
    return sorted({one.toolchains[language] for one in recent if one.toolchains.get(language)})


def health_figures(
    live: Sequence[RunnerHeartbeat], queue_depth: int, unable: Sequence[RunnerHeartbeat] = ()
) -> Figures:
    """Describe this service and its runners. `live` and `unable` are sorted by age, latest first.

    Both have one heartbeat for each group of runners that report the same.
    `enforcement_mode` is `strict` only if every live runner is; the backend and the node are those of the latest.
    """
    latest = live[0] if live else None
    return {
        "version": VERSION,
        "runner_versions": sorted({one.runner_version for one in live}),
        "enforcement_mode": "strict" if live and all(one.isolation_mode == "strict" for one in live) else "permissive",
        "cgroup_backend": latest.cgroup_backend if latest else None,
        "namespace_support": bool(live) and all(one.namespace_support for one in live),
        "network_support": any(one.network_support for one in live),
        "workers": sum(one.slots for one in live),
        "queue_depth": queue_depth,
        "node_id": latest.node_id if latest else "",
        "problems": [{"node_id": one.node_id, "problem": one.problem or ""} for one in unable],
    }


# The routes of languages and health.

_NO_RUNNER = "No runner is live: none has reported in the last 60 seconds, or the last report said that it is stopping."


@dataclass(frozen=True, slots=True)
class HealthRoutes:
    """Handlers of health and languages. They read the runners' heartbeats and the depths of the queues."""

    env: Env

    def languages(self, app: Resolver) -> Response[str]:
        fleet, has_detail = self.env[Fleet], detail_flag(app.current_event.query_string_parameters)
        return answer(fleet.toolchains() if has_detail else list(fleet.languages()))

    def health(self, _app: Resolver) -> Response[str]:
        """Answer with 200 in any case; `degraded` without a live runner, or if the figures cannot be read."""
        report: HealthReport
        try:
            figures = self._figures()
            if figures["node_id"]:
                report = {**figures, "status": "ok"}
            else:
                problems: list[RunnerProblem] = [{"node_id": "", "problem": _NO_RUNNER}, *figures["problems"]]
                report = {**figures, "status": "degraded", "problems": problems}
        except (ClientError, BotoCoreError) as error:
            self.env.log.warning("Health figures are not available", error_type=type(error).__name__)
            report = {**health_figures([], 0), "status": "degraded"}
        return answer(report)

    def ready(self, _app: Resolver) -> Response[str]:
        figures = self._figures()
        if not figures["node_id"]:
            reasons = [f" Runner {one['node_id']}: {one['problem']}" for one in figures["problems"]]
            refusal: NotReady = {"status": "not_ready", "error": _NO_RUNNER + "".join(reasons)}
            return answer(refusal, 503)
        report: Ready = {**figures, "status": "ready"}
        return answer(report)

    def _figures(self) -> Figures:
        return self.env[Fleet].figures(self.env[Queues].recent_depths())


HEALTH_ROUTES: tuple[Route[HealthRoutes], ...] = (
    Route(
        "GET /api/languages",
        HealthRoutes.languages,
        "getLanguages",
        "Languages that this deployment offers",
        {
            200: ("Canonical names; with `detail=true` toolchains and ceilings too.", (Languages, LanguageDetails)),
            400: BAD,
            **OPEN,
        },
        parameters=(
            query(
                "detail",
                {"type": "boolean", "default": False},
                "Include toolchain versions and the ceilings of limits.",
            ),
        ),
        security=None,
    ),
    Route(
        "GET /api/health",
        HealthRoutes.health,
        "getHealth",
        "Health of the service",
        {
            200: ("Always.", (HealthReport,)),
            429: THROTTLED,
            500: FAILED,
            503: ("The gateway.", (GatewayError,)),
        },
        security=None,
        read_max_bytes=0,
        is_health=True,
    ),
    Route(
        "GET /api/health/ready",
        HealthRoutes.ready,
        "getReady",
        "Whether a runner is live",
        {
            200: ("Yes.", (Ready,)),
            429: THROTTLED,
            500: FAILED,
            503: ("No; or a part of the service is busy.", (NotReady, Error)),
        },
        security=None,
        read_max_bytes=0,
        is_health=True,
    ),
)
