"""Authenticate a request by its API key, before anything reads the body."""

import functools
import hashlib
import hmac

from botocore.exceptions import BotoCoreError, ClientError

from events.vocabulary import Profile
from functions.aws.clients import SecretUnavailableError, secret
from functions.env import Env
from functions.errors import ForbiddenError, UnauthorizedError, UnavailableError
from functions.http.http_event import Caller, HttpEvent
from functions.http.parameters import bearer_token, refuse_misspelt
from functions.http.resolver import Resolver
from functions.http.rights import Right, needed
from functions.projects.model import Project, Quota, Usage, tightest_rate
from functions.projects.quota_store import QuotaStore
from functions.projects.store import FoundKey, KeyProblem, ProjectStore
from functions.settings import LOCAL_STAGE
from functions.ttl_cache import TtlCache

# The RateLimit headers of answers to requests with a valid key.

FRESH_MS = 1_000
_MOST_SEEN = 1_000


class Rates:
    """The remaining `judge` quota of projects, read at most once a second, so that polling stays cheap."""

    def __init__(self, env: Env) -> None:
        self._quotas = env[QuotaStore]
        self._log = env.log
        self._clock = env.clock
        self._seen = TtlCache[str, tuple[Usage | None]](FRESH_MS, _MOST_SEEN, env.clock)

    def headers(self, project: Project) -> dict[str, str]:
        """Return the three headers; none if the quota cannot be read, since that must not fail the request."""
        quota = project.quota(Profile.JUDGE)
        usage = self._usage(project.project_id, quota)
        return self.headers_of(usage, quota) if usage is not None else {}

    def headers_of(self, usage: Usage, quota: Quota) -> dict[str, str]:
        """Return the three headers of a known usage, without a read."""
        return tightest_rate(usage, quota, self._clock()).headers

    def _usage(self, project_id: str, quota: Quota) -> Usage | None:
        (usage,) = self._seen.get_or_load(project_id, lambda: (self._read(project_id, quota),))
        return usage

    def _read(self, project_id: str, quota: Quota) -> Usage | None:
        try:
            return self._quotas.usage(project_id, Profile.JUDGE, quota)
        except (ClientError, BotoCoreError) as error:
            self._log.warning("Quota not read", project_id=project_id, error_type=type(error).__name__)
            return None


# Check the administrator's key: one per installation, valid for /api/projects and /api/admin only.

_SECRET_MIN_CHARS = 24
_PUBLIC_KEY_PART = "local_development_only"


def require_admin(app: Resolver, env: Env) -> None:
    """Check the administrator's key of the current request. Without a parameter that has the key, refuse every request.

    Raises UnauthorizedError with the same text for every reason, UnavailableError if SSM cannot be read.
    """
    parameter = env.settings.admin_key_parameter
    given = _given(app.current_event, "x-admin-key")
    if not given or not parameter:
        raise _refusal()
    try:
        key = secret(parameter)
    except SecretUnavailableError:
        env.log.warning("Admin key cannot be read", parameter=parameter, request_id=app.request_id)
        raise UnavailableError("The administrator's key cannot be checked at the moment. Try again.") from None
    if len(key) < _SECRET_MIN_CHARS or (env.settings.stage != LOCAL_STAGE and _PUBLIC_KEY_PART in key):
        env.log.error(
            "Every admin request is refused: replace the administrator's key, which is too short or public",
            request_id=app.request_id,
        )
        raise _refusal()
    if not hmac.compare_digest(_digest(given), _digest(key)):
        env.log.warning("Admin key refused", request_id=app.request_id)
        raise _refusal()
    app.current_event.caller = Caller("administrator")


def _refusal() -> UnauthorizedError:
    return UnauthorizedError("The administrator's key is needed as X-Admin-Key or Authorization: Bearer.")


def _digest(text: str) -> bytes:
    """Hash both texts to one length, so that the time of the comparison does not reveal the secret's length."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


_REASONS = {
    KeyProblem.MISSING: "The API key is missing. Send it as X-API-Key or Authorization: Bearer.",
    KeyProblem.UNKNOWN: "This API key is unknown. Check that the header has the whole key.",
    KeyProblem.REVOKED: "This API key was revoked. Use another key of the project.",
    KeyProblem.EXPIRED: "This API key has expired. Use another key of the project.",
    KeyProblem.DISABLED: "The project of this API key is disabled. Ask the administrator of this service.",
}


def authenticate(event: HttpEvent, env: Env) -> Project:
    """Return the project of the API key, in X-API-Key or Authorization: Bearer.

    Raises UnauthorizedError. Only a client with a whole key that was valid once gets the reason why it no longer is.
    Raises ForbiddenError for a key without a right that the route needs.
    Raises BadRequestError for a misspelt query parameter: its answer has the RateLimit headers of the project too.
    """
    return identify(event, env).project


def identify(event: HttpEvent, env: Env) -> FoundKey:
    """Like `authenticate`, but return the key with its project."""
    return _found(event, env, _given(event, "x-api-key"))


def _given(event: HttpEvent, header: str) -> str:
    """Return the key of this header. Without it, that of `Authorization`, which may be of a proxy otherwise."""
    return event.headers.get(header) or bearer_token(event.headers.get("authorization") or "")


def authenticate_key(event: HttpEvent, env: Env, key: str) -> Project:
    """Like `authenticate`, with the key of another header."""
    return _found(event, env, key).project


def _found(event: HttpEvent, env: Env, key: str) -> FoundKey:
    found = env[ProjectStore].find_key(key)
    if isinstance(found, KeyProblem):
        raise UnauthorizedError(_REASONS[found])
    event.rate_limit_headers = lambda: env[Rates].headers(found.project)
    if found.rights.isdisjoint(event.rights):
        raise _lacks(event.rights)
    event.granted = found.rights
    event.caller = Caller("key", found.record.prefix, found.record.name)
    refuse_misspelt(event.query_string_parameters, event.known_parameters)
    return found


def require_right(event: HttpEvent, right: Right) -> None:
    """Refuse a request whose key lacks a right that its content needs. Raises ForbiddenError."""
    if right not in event.granted:
        raise _lacks((right,))


def _lacks(rights: tuple[Right, ...]) -> ForbiddenError:
    lacks = f"This API key lacks the {needed(rights)}."
    return ForbiddenError(f"{lacks} Use another key of the project, or ask the administrator for one.")


def note_usage(event: HttpEvent, env: Env, usage: Usage, quota: Quota) -> None:
    """Take the RateLimit headers of this request's answer from the charged quota."""
    event.rate_limit_headers = functools.partial(env[Rates].headers_of, usage, quota)
