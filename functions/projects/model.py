"""Projects and API keys. A project owns submissions, endpoints and keys."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil
from typing import Annotated
from zlib import crc32

from events.network import Network, allowed_host
from events.vocabulary import Profile
from functions.aws.dynamodb.row_codec import IN_KEY, OMIT_DEFAULT, Flat
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.errors import FieldProblem

# Quotas of a project: runs per minute, per day and in flight, separately for each profile.
#
# Windows are fixed: the minutes and the days (UTC) since the epoch. `quota_store` reads and writes them. A large quota
# is spread over shards: each is an item of its own, with a share of every limit.

MINUTE_MS = 60_000
DAY_MS = 86_400_000
SKEW_MAX_MS = 60_000
"""The largest accepted difference between the clocks of two machines."""
MAX_IN_FLIGHT = 3_000
"""Maximum of `Quota.in_flight`: each run takes up to 115 bytes, and a quota with few runs a minute is one item."""
SHARD_RUNS = 30
"""Runs in flight of one shard: its item then has at most 2 KiB, or 4 KiB with idempotency keys."""
_SHARD_PER_MINUTE = 10_000
"""Runs a minute of one shard: DynamoDB writes an item about 1,000 times a second, and a run needs three such writes."""
_SHARD_IN_FLIGHT_MIN, _SHARD_WINDOW_MIN = 10, 100
"""The least limits of one shard. With smaller ones a shard would often refuse a run that others could take."""
IN_FLIGHT_RETRY_SECS = 1


@dataclass(frozen=True, slots=True)
class Quota:
    """The most submissions in a minute and in a day (UTC), and the most runs in flight."""

    per_minute: int
    per_day: int
    in_flight: int

    @property
    def shards(self) -> int:
        """The number of items that count the runs of this quota."""
        by_rate = min(ceil(self.per_minute / _SHARD_PER_MINUTE), self.in_flight // _SHARD_IN_FLIGHT_MIN)
        wanted = max(ceil(self.in_flight / SHARD_RUNS), by_rate)
        return max(1, min(wanted, min(self.per_minute, self.per_day) // _SHARD_WINDOW_MIN))

    def share(self, shard: int) -> "Quota":
        """Return the limits of one shard. Those of all shards add up to the quota."""
        return Quota(
            *(
                limit * (shard + 1) // self.shards - limit * shard // self.shards
                for limit in (self.per_minute, self.per_day, self.in_flight)
            )
        )


DEFAULT_QUOTAS = {Profile.JUDGE.value: Quota(60, 1_000, 10), Profile.AGENT.value: Quota(60, 20_000, 8)}
"""docs/contract.md, section 5."""


class Limit(StrEnum):
    """The three limits of a quota."""

    PER_MINUTE = "per_minute"
    PER_DAY = "per_day"
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True)
class Window:
    """The `number`-th window of its length since the epoch, and its count of submissions."""

    length_ms: int
    number: int
    count: int

    def at(self, now_ms: int) -> "Window":
        """Return the current window at a time: this one, or the next with a count of 0."""
        # A window up to SKEW_MAX_MS ahead stays: the clock of this machine is slow, and two machines that move the
        # window to and fro would reset its count. A window further ahead comes from a wrong clock: we move it back,
        # and it keeps its count.
        number = now_ms // self.length_ms
        if number > self.number:
            return replace(self, number=number, count=0)
        if self.number * self.length_ms - now_ms > SKEW_MAX_MS:
            return replace(self, number=number)
        return self

    def reset_secs(self, now_ms: int) -> int:
        """Return the whole seconds until the window ends, at least 1."""
        return max(1, -(-((self.number + 1) * self.length_ms - now_ms) // MS_PER_SEC))

    def with_more(self, units: int) -> "Window":
        """Return it with more submissions."""
        return replace(self, count=self.count + units)


@dataclass(frozen=True, slots=True)
class Usage:
    """The used part of one quota."""

    minute: Window = Window(MINUTE_MS, 0, 0)
    day: Window = Window(DAY_MS, 0, 0)
    in_flight: int = 0

    def at(self, now_ms: int) -> "Usage":
        """Return the usage with the current windows at a time."""
        return replace(self, minute=self.minute.at(now_ms), day=self.day.at(now_ms))

    def with_one_more(self, day_units: int = 1) -> "Usage":
        """Return it with one more submission, which counts as `day_units` in the day."""
        return Usage(self.minute.with_more(1), self.day.with_more(day_units), self.in_flight + 1)

    def times(self, shards: int) -> "Usage":
        """Return the usage of that many shards that are used like this one."""
        return Usage(
            replace(self.minute, count=self.minute.count * shards),
            replace(self.day, count=self.day.count * shards),
            self.in_flight * shards,
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """One limit as a client sees it: `remaining` of `limit`, reset in `reset_secs`."""

    limit: int
    remaining: int
    reset_secs: int

    @property
    def headers(self) -> dict[str, str]:
        """The RateLimit headers of the HTTP contract."""
        return {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(self.reset_secs),
        }


def tightest_rate(usage: Usage, quota: Quota, now_ms: int) -> Rate:
    """Return the window with the smallest remainder; the day if both are equal."""
    usage = usage.at(now_ms)
    day = _rate(usage.day, quota.per_day, now_ms)
    minute = _rate(usage.minute, quota.per_minute, now_ms)
    return minute if minute.remaining < day.remaining else day


@dataclass(frozen=True, slots=True)
class Refusal:
    """The exceeded limit and its RateLimit headers."""

    limit: Limit
    rate: Rate

    def of(self, quota: Quota) -> "Refusal":
        """Return the refusal of a shard as that of its whole quota."""
        return replace(self, rate=replace(self.rate, limit=getattr(quota, self.limit)))

    def message(self, profile: str) -> str:
        """Return the error message for the caller."""
        secs = self.rate.reset_secs
        again = f"Repeat the request in {secs} second{'s' if secs != 1 else ''}."
        if self.limit is Limit.IN_FLIGHT:
            return f"The quota of the {profile} profile is {self.rate.limit} unfinished runs at a time. {again}"
        window = "minute" if self.limit is Limit.PER_MINUTE else "day"
        return f"The quota of the {profile} profile is {self.rate.limit} runs per {window}, and it is used up. {again}"


def find_refusal(usage: Usage, quota: Quota, now_ms: int, day_units: int = 1) -> Refusal | None:
    """Return the exceeded limit that lasts longest; None if one more submission is allowed."""
    usage = usage.at(now_ms)
    if usage.day.count + day_units > quota.per_day:
        return Refusal(Limit.PER_DAY, _rate(usage.day, quota.per_day, now_ms))
    if usage.minute.count >= quota.per_minute:
        return Refusal(Limit.PER_MINUTE, _rate(usage.minute, quota.per_minute, now_ms))
    if usage.in_flight >= quota.in_flight:
        return Refusal(Limit.IN_FLIGHT, Rate(quota.in_flight, 0, IN_FLIGHT_RETRY_SECS))
    return None


def _rate(window: Window, limit: int, now_ms: int) -> Rate:
    return Rate(limit, max(0, limit - window.count), window.reset_secs(now_ms))


# The network of a project: which hosts its runs may name in a request.

DEFAULT_MB_PER_DAY = 1_024


class NetworkAccess(StrEnum):
    """The hosts that requests of a project may name: no host, those below its patterns, or any public one."""

    NONE = "none"
    LISTED = "listed"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class ProjectNetwork:
    """`allow`: with `listed`, the patterns `name:port`. `mb_per_day`: MiB in both directions, of all runs of a day."""

    access: NetworkAccess = NetworkAccess.NONE
    allow: tuple[str, ...] = ()
    mb_per_day: int = DEFAULT_MB_PER_DAY

    def missing(self, network: Network) -> tuple[str, ...]:
        """Return the entries of a request that the project may not name."""
        if self.access is NetworkAccess.PUBLIC:
            return ()
        patterns = [allowed_host(entry) for entry in self.allow] if self.access is NetworkAccess.LISTED else []
        return tuple(str(host) for host in network.allow if not any(pattern.covers(host) for pattern in patterns))


NO_NETWORK = ProjectNetwork()
"""Of a new project."""


DEFAULT_FILES_MB = 1_024


@dataclass(frozen=True, slots=True)
class Project:
    """`profiles`: the allowed profiles. `quotas`: by profile, only those that differ from the default.

    `network`: what its requests may reach. `files_mb`: MiB of all its stored files together.
    """

    project_id: Annotated[str, IN_KEY]
    name: str
    profiles: tuple[str, ...] = (Profile.JUDGE.value, Profile.AGENT.value)
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    network: Annotated[ProjectNetwork, OMIT_DEFAULT] = NO_NETWORK
    files_mb: Annotated[int, OMIT_DEFAULT] = DEFAULT_FILES_MB

    def quota(self, profile: str) -> "Quota":
        return self.quotas.get(profile) or DEFAULT_QUOTAS[profile]

    def refusals(self, profile: str, entries: Collection[str] = ()) -> Iterator[FieldProblem]:
        """Yield what the project may not use of a request: its profile, and entries of its network."""
        if profile not in self.profiles:
            refused = f"This project may not use the {profile} profile."
            text = f"{refused} Send another profile, or ask the administrator."
            yield FieldProblem("profile", text, code="forbidden")
        yield from self.network_refusals(entries)

    def network_refusals(self, entries: Collection[str]) -> Iterator[FieldProblem]:
        """Yield the entries of a network that the project may not reach."""
        if entries and (missing := self.network.missing(Network.of(entries))):
            refused = f"This project may not reach {', '.join(missing)}."
            text = f"{refused} Leave them out, or ask the administrator to allow them."
            yield FieldProblem("network.allow", text, code="forbidden")


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A project as an administrator sees it. Times are RFC 3339; `disabled_at` None: the project is enabled."""

    project: Annotated[Project, Flat()]
    created_at: str
    disabled_at: str | None = None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """The stored properties of an API key. `prefix`: its first characters; the key itself is not stored.

    Times are RFC 3339. `rights` None: all, as those of a row of a version without rights.
    """

    key_id: str
    project_id: str
    prefix: str
    created_at: str
    last_used_at: str | None = None
    expires_at: str | None = None
    revoked_at: str | None = None
    name: str | None = None
    rights: tuple[str, ...] | None = None


# A run in flight, as the quota item stores it. The entry exists before the submission's row.

_KEY_HEX_DIGITS = 32
_MOST_CANDIDATES = 4
LEAKED_AFTER_MS = 60_000
"""An entry of this age without a row belongs to a process that died: no request lasts longer than 30 s."""
OVERTAKEN_AFTER_MS = 5_000
"""A request with the same Idempotency-Key waits this long for the first one to write its row."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """One entry. `key`: the start of the Idempotency-Key's hash; empty without a key."""

    since_ms: int
    submission_id: str
    key: str = ""

    @property
    def text(self) -> str:
        """The text in the table. It can be rebuilt from the submission's row, so any process can remove the entry."""
        return ".".join(filter(None, (str(self.since_ms), self.submission_id, self.key)))


def in_flight_entry(created_at: str, submission_id: str, idempotency_pk: str | None) -> InFlight:
    """Return the entry of a submission."""
    key = (idempotency_pk or "").rpartition("#")[2][:_KEY_HEX_DIGITS]
    return InFlight(from_rfc3339(created_at), submission_id, key)


@dataclass(frozen=True, slots=True)
class QuotaClaim:
    """One run, charged to a project's quota of a profile. `shard`: its name; None for a quota with one shard.

    `day_units`: the runs that it counts as in the limit of a day; always one in the other limits.
    """

    project_id: str
    profile: str
    entry: InFlight
    shard: str | None = None
    day_units: int = 1


def shard_name(number: int, shards: int) -> str | None:
    """Return the name of one of several shards. Another number of shards means other names, so counts start anew."""
    return f"{number}/{shards}" if shards > 1 else None


def candidate_shards(entry: InFlight, shards: int) -> tuple[int, ...]:
    """Return the shards that may count a run, the first choice first.

    A run with an Idempotency-Key has one, so that a repeat meets the first request there.
    """
    first = crc32((entry.key or entry.submission_id).encode()) % shards
    return tuple((first + number) % shards for number in range(1 if entry.key else min(_MOST_CANDIDATES, shards)))


def read_entry(text: str) -> InFlight:
    """Parse the text of an entry."""
    since_ms, submission_id, *key = text.split(".")
    return InFlight(int(since_ms), submission_id, *key)
