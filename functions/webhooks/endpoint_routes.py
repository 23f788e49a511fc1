"""Routes of /api/webhooks: create, list, show, change and delete endpoints; rotate, test and recover."""

import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import Response
from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.table import cut, tries
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.errors import (
    ConflictError,
    FieldProblem,
    IdempotencyConflictError,
    InvalidFieldsError,
    NotFoundError,
    UnavailableError,
)
from functions.failpoint import reach
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
from functions.http.parameters import idempotency_key, page_limit, start_after, uuid
from functions.http.resolver import Resolver
from functions.http.validation import Problems, parse_body
from functions.ids import new_id
from functions.projects.authentication import authenticate
from functions.projects.changes import Change, record
from functions.webhooks.deliveries.replay import DeliveryList, recover
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.model import (
    HIDDEN,
    MAX_ENDPOINTS,
    MAX_ORDERED,
    DisabledReason,
    Endpoint,
    EndpointSettings,
    Transform,
)
from functions.webhooks.endpoints.requests import (
    OVERLAP_DEFAULT_SECS,
    ChangeEndpointRequest,
    CreateEndpointRequest,
    changed_settings,
    parse_endpoint,
    parse_recovery,
    parse_rotation,
)
from functions.webhooks.endpoints.store import (
    HEALTH,
    CreationClaim,
    CreationClaimTakenError,
    EndpointLimitError,
    EndpointStore,
    changed_attributes,
)
from functions.webhooks.recipients import RecipientRoutes
from functions.webhooks.sealed_secrets import EndpointSecrets, UnsealError
from functions.webhooks.sending.lanes import resume_lane
from functions.webhooks.sending.transforms import prepare_test, transform_runs
from functions.webhooks.signature import new_secret, parse_secret
from functions.webhooks.views import (
    EndpointDeleted,
    change_view,
    created_key,
    egress_body,
    endpoint_body,
    endpoint_detail,
    endpoint_filters,
    probe_body,
    valid_body,
    with_secret,
)
from functions.webhooks.webhook_url import AddressRules

NO_SUCH_ENDPOINT = "There is no such webhook endpoint."
CHANGED_MEANWHILE = "Another request changed the endpoint at the same time. Check it, then repeat the request."
CANNOT_READ = "The endpoint's secret cannot be read. Create a new one: POST to its /rotate."
_UNREADABLE_KEY = "The endpoint's routing key cannot be read. Send it again: PATCH with routing_key."
_UNREADABLE_HEADERS = "The endpoint's headers cannot be read. Send all of them again: PATCH with headers."
_LIMIT = f"A project has at most {MAX_ENDPOINTS} webhook endpoints, {MAX_ORDERED} of them ordered. Delete one first."
_SAME_TIME = "Another request with this Idempotency-Key has just created the endpoint. Repeat the request."
_DELETED = "The endpoint that this Idempotency-Key created was deleted. Use a new key."
_TRIES = 3
_CANCEL_MS = 5_000
"""Time limit for cancelling open deliveries in the request. The sweeper cancels the rest."""
_OFF = "The endpoint is disabled. Enable it first: PATCH with enabled true."
_AT_WORK = "A test or a recovery of this endpoint is running. Repeat the request when it is done."
TEST_SECS = 30
_RECOVERY_SECS = 30
_PREVIOUS = ("previous_secret_box", "previous_until_ms")


def _hidden(request: ChangeEndpointRequest, before: Endpoint, after: EndpointSettings) -> list[str]:
    """Return the settings that change and whose values the log of changes does not show."""
    headers, routing_key = (getattr(request, name) for name in ("headers", "routing_key"))
    is_new = {
        "url": after.url != before.url,
        "headers": any(text != HIDDEN for text in (headers or {}).values()),
        "routing_key": routing_key not in {None, "", HIDDEN},
    }
    return [name for name, has_changed in is_new.items() if has_changed]


class EndpointRoutes:
    """Handlers of /api/webhooks. All of them raise ServiceError. Logs hold no URL, header or secret."""

    def __init__(self, env: Env) -> None:
        self.env, self.endpoints, self.secrets = env, env[EndpointStore], env[EndpointSecrets]

    def create(self, app: Resolver) -> Response[str]:
        """Create an endpoint. Only this response shows its secret, and a repeat with the same Idempotency-Key."""
        project_id = authenticate(app.current_event, self.env).project_id
        key = idempotency_key(app.current_event.headers)
        request, settings = parse_endpoint(json_body(app.current_event), self._address_rules(app))
        self.refuse_language(settings.transform)
        endpoint, secret = self._create(app, project_id, request, settings, key)
        if secret is None:
            secret = self._secret(endpoint)
        else:
            self._note("Endpoint created", endpoint, app)
            with suppress(ClientError, BotoCoreError):  # the endpoint is made; a test sends the link
                endpoint = self.env[RecipientRoutes].ask(endpoint)
        return answer(with_secret(endpoint_body(endpoint, self.env.clock()), secret))

    def validate(self, app: Resolver) -> Response[str]:
        """Refuse what `create`, or with `id` `change`, would refuse. Show the settings that it would store."""
        id_text = app.current_event.query_string_parameters.get("id")
        if id_text is None:
            authenticate(app.current_event, self.env)
            _, settings = parse_endpoint(json_body(app.current_event), self._address_rules(app))
        else:
            endpoint, problems = self.get(app, id_text), Problems()
            change = parse_body(ChangeEndpointRequest, json_body(app.current_event), problems)
            present = dict.fromkeys(endpoint.headers, "kept")  # only the change itself needs the values
            settings = changed_settings(endpoint, present, change, self._address_rules(app), problems)
        self.refuse_language(settings.transform)
        return answer(valid_body(settings))

    def page(self, app: Resolver) -> Response[str]:
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.env).project_id
        limit, filters, now = page_limit(query), endpoint_filters(query), self.env.clock()
        after = start_after(query, project_id)
        newest_first = reversed(self.endpoints.list_all(project_id))
        wanted = [endpoint for endpoint in newest_first if filters.accept(endpoint, now)]
        page = cut(wanted, limit, created_key, after)
        return page_answer(project_id, page, lambda endpoint: endpoint_body(endpoint, now), created_key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Show one endpoint, with the latencies of its last deliveries."""
        endpoint, now = self.get(app, id_text), self.env.clock()
        latencies = self.env[DeliveryList].latencies_of(endpoint.project_id, endpoint.endpoint_id)
        return answer(endpoint_detail(endpoint, latencies, now))

    def change(self, app: Resolver, id_text: str) -> Response[str]:
        """Change the given fields. Raises ConflictError if other requests keep changing the endpoint."""
        endpoint, problems = self.get(app, id_text), Problems()
        request = parse_body(ChangeEndpointRequest, json_body(app.current_event), problems)
        for _ in tries(_TRIES):
            headers = self._known_headers(endpoint, request.headers)
            settings = changed_settings(endpoint, headers, request, self._address_rules(app), problems)
            self.refuse_language(settings.transform if settings.transform != endpoint.transform else None)
            views = change_view(endpoint), change_view(replace(endpoint, **settings.hidden))
            hidden = _hidden(request, endpoint, settings)
            change = Change(endpoint.project_id, "endpoint.changed", endpoint.endpoint_id, *views, hidden)
            before = endpoint
            is_changed = record(self.env, app.current_event, change, partial(self._write, endpoint, settings))
            endpoint = self.get(app, id_text)
            if is_changed:
                self._note("Endpoint changed", endpoint, app)
                if settings.url != before.url or settings.format is not before.format:
                    endpoint = self.env[RecipientRoutes].ask(endpoint)
                return answer(endpoint_body(endpoint, self.env.clock()))
        raise ConflictError(CHANGED_MEANWHILE)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete an endpoint. Its open deliveries are cancelled here or by the sweeper."""
        endpoint = self.get(app, id_text)
        ids = (endpoint.project_id, endpoint.endpoint_id)
        change = Change(endpoint.project_id, "endpoint.deleted", endpoint.endpoint_id, change_view(endpoint))
        write = partial(self.endpoints.delete, *ids, ordered=endpoint.ordered)
        due_at_ms = record(self.env, app.current_event, change, write, endpoint.endpoint_id)
        if due_at_ms is None:
            raise NotFoundError(NO_SUCH_ENDPOINT)
        reach("endpoint.after_delete")
        with suppress(ClientError, BotoCoreError):  # the endpoint is deleted; the sweeper does the rest
            self.env[DeliveryStore].cancel_open(*ids, due_at_ms, _CANCEL_MS)
        self._note("Endpoint deleted", endpoint, app)
        body: EndpointDeleted = {"id": endpoint.endpoint_id, "deleted": True}
        return answer(body)

    def egress_addresses(self, app: Resolver) -> Response[str]:  # noqa: ARG002 - as all routes
        """Show the networks that webhooks come from. Needs no key."""
        return answer(egress_body(self.env.settings.egress_addresses))

    def rotate(self, app: Resolver, id_text: str) -> Response[str]:
        """Replace the endpoint's secret and key pair. Old ones also sign during the overlap, older ones stop.

        A client that sends the new secret itself can safely repeat the call.
        """
        endpoint = self.get(app, id_text)
        asked = parse_rotation(json_body(app.current_event) if app.current_event.body else b"")
        now = self.env.clock()
        if asked.secret is not None and self._signs_now(endpoint, asked.secret):
            return answer(with_secret(endpoint_body(endpoint, now), asked.secret))
        secret = asked.secret or new_secret()
        box, public_key = self.secrets.new_keys(
            secret, endpoint.project_id, endpoint.endpoint_id, asymmetric=endpoint.asymmetric
        )
        sets: dict[str, Any] = {"secret_box": box}
        if public_key is not None:
            sets["public_key"] = public_key
        overlap_secs = OVERLAP_DEFAULT_SECS if asked.overlap_secs is None else asked.overlap_secs
        if overlap_secs:
            sets |= {"previous_secret_box": endpoint.secret_box, "previous_until_ms": now + overlap_secs * MS_PER_SEC}
        # Of two concurrent rotations one must fail. Otherwise one client would get a secret that never signs.
        change = Change(endpoint.project_id, "endpoint.secret_replaced", endpoint.endpoint_id)
        write = partial(self.endpoints.change, endpoint, now, sets, () if overlap_secs else _PREVIOUS)
        if not record(self.env, app.current_event, change, write):
            raise ConflictError(CHANGED_MEANWHILE)
        changed = self.get(app, id_text)
        self._note("Secret rotated", endpoint, app)
        return answer(with_secret(endpoint_body(changed, now), secret))

    def test(self, app: Resolver, id_text: str) -> Response[str]:
        """Send `webhook.test` now, like a delivery. It is not retried, and only the event log stores it.

        If the endpoint has a transform, that writes the body first.
        """
        endpoint = self.get(app, id_text)
        now = self.env.clock()
        routing_key = self._routing_key(endpoint)
        self._secret(endpoint)
        self._headers(endpoint)
        with self.exclusively(endpoint, TEST_SECS):
            try:
                request, send = prepare_test(self.env, endpoint, now)
            except UnsealError:  # of the secret before the last rotation
                raise ConflictError(CANNOT_READ) from None
            self.env[RecipientRoutes].ask(endpoint)
            reply = send()
        self._note("Endpoint tested", endpoint, app)
        shown = request.body.decode()
        shown = shown.replace(routing_key, HIDDEN) if routing_key else shown
        return answer(probe_body(endpoint, request.headers, shown, reply))

    def recover(self, app: Resolver, id_text: str) -> Response[str]:
        """Make failed, blocked and paused deliveries since a time due again; retrying ones only if asked to."""
        endpoint = self.get(app, id_text)
        since_ms, also_retrying = parse_recovery(json_body(app.current_event), self.env.clock())
        if not endpoint.enabled:
            raise ConflictError(_OFF)
        with self.exclusively(endpoint, _RECOVERY_SECS):
            recovered = recover(self.env, endpoint, since_ms, also_retrying=also_retrying)
        self._note("Deliveries recovered", endpoint, app)
        return answer(recovered)

    def get(self, app: Resolver, id_text: str) -> Endpoint:
        """Return the caller's endpoint. Raises UnauthorizedError, BadRequestError, NotFoundError."""
        project_id = authenticate(app.current_event, self.env).project_id
        endpoint = self.endpoints.get(project_id, uuid(id_text))
        if endpoint is None:
            raise NotFoundError(NO_SUCH_ENDPOINT)
        return endpoint

    def refuse_language(self, transform: Transform | None) -> None:
        """Refuse a language that this deployment does not offer. Raises InvalidFieldsError."""
        if transform is None:
            return
        offered = self.env[transform_runs].languages()
        if transform.language not in offered:
            text = f"This language is not supported. Offered: {', '.join(offered)}."
            raise InvalidFieldsError((FieldProblem("transform.language", text),))

    def _headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Return its custom headers with their values. Raises ConflictError."""
        try:
            return self.secrets.headers(endpoint)
        except UnsealError:
            raise ConflictError(_UNREADABLE_HEADERS) from None

    def _routing_key(self, endpoint: Endpoint) -> str:
        """Return its key of PagerDuty, or "". Raises ConflictError."""
        try:
            return self.secrets.routing_key(endpoint)
        except UnsealError:
            raise ConflictError(_UNREADABLE_KEY) from None

    def _secret(self, endpoint: Endpoint) -> str:
        """Return its secret. Raises ConflictError."""
        try:
            return self.secrets.current(endpoint)
        except UnsealError:
            raise ConflictError(CANNOT_READ) from None

    def _address_rules(self, app: Resolver) -> AddressRules:
        settings = self.env.settings
        rules = AddressRules.of(settings, app.current_event.request_context.domain_name)
        return replace(rules, mail_domains=settings.email_domains if settings.smtp_url_parameter else ())

    def _note(self, phrase: str, endpoint: Endpoint, app: Resolver) -> None:
        self.env.log.info(
            phrase, endpoint_id=endpoint.endpoint_id, project_id=endpoint.project_id, request_id=app.request_id
        )

    def _create(
        self,
        app: Resolver,
        project_id: str,
        request: CreateEndpointRequest,
        settings: EndpointSettings,
        key: str | None,
    ) -> tuple[Endpoint, str | None]:
        """Create an endpoint, once for each Idempotency-Key. A repeat gets the endpoint as it is now, and no secret.

        Raises ConflictError, IdempotencyConflictError, UnavailableError.
        """
        endpoint_id, now, secrets = new_id(), self.env.clock(), self.secrets
        secret = request.secret or new_secret()
        box, public_key = secrets.new_keys(secret, project_id, endpoint_id, asymmetric=settings.asymmetric)
        claim = CreationClaim.of(key, request.model_dump_json(), endpoint_id) if key is not None else None
        if claim is not None and (earlier := self._earlier(project_id, claim)) is not None:
            return earlier, None
        endpoint = Endpoint(
            endpoint_id=endpoint_id,
            project_id=project_id,
            headers_box=secrets.seal_headers(settings.headers, project_id, endpoint_id),
            routing_key_box=secrets.seal_routing_key(settings.routing_key, project_id, endpoint_id),
            secret_box=box,
            public_key=public_key,
            disabled_reason=None if settings.enabled else DisabledReason.REQUEST,
            disabled_at=None if settings.enabled else to_rfc3339(now),
            created_at=to_rfc3339(now),
            updated_at=to_rfc3339(now),
            **settings.hidden,
        )
        try:
            change = Change(project_id, "endpoint.created", endpoint_id, None, change_view(endpoint))
            record(self.env, app.current_event, change, partial(self.endpoints.create, endpoint, claim))
        except CreationClaimTakenError:
            same = None if claim is None else self._earlier(project_id, claim)
            if same is None:
                raise UnavailableError(_SAME_TIME, 1) from None
            return same, None
        except EndpointLimitError:
            raise ConflictError(_LIMIT) from None
        return endpoint, secret

    def _earlier(self, project_id: str, claim: CreationClaim) -> Endpoint | None:
        """Return the endpoint that an earlier request with this key has created; None for a first request."""
        earlier = self.endpoints.find_claim(claim, project_id)
        if earlier is None:
            return None
        if earlier.body_sha256 != claim.body_sha256:
            raise IdempotencyConflictError
        endpoint = self.endpoints.get(project_id, earlier.endpoint_id)
        if endpoint is None:
            raise ConflictError(_DELETED)
        return endpoint

    def _known_headers(self, endpoint: Endpoint, given: dict[str, str] | None) -> dict[str, str]:
        """Return the stored headers that a change may keep; {} if it replaces all of them."""
        is_whole = given is not None and HIDDEN not in given.values()
        return {} if is_whole else self._headers(endpoint)

    def _write(self, before: Endpoint, settings: EndpointSettings, also: Sequence[Any]) -> bool:
        sets, removes = self._writes(before, settings)
        store, now = self.endpoints, self.env.clock()
        lane = [resume_lane(store.table_name, before, now)] if "failing_since_ms" in removes else []
        return store.change(before, now, sets, removes, [*lane, *also])

    def _writes(self, before: Endpoint, settings: EndpointSettings) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return attributes to set and to remove. Disabling sets the reason; enabling clears it and the failures."""
        secrets, ids = self.secrets, (before.project_id, before.endpoint_id)
        after = replace(before, **settings.hidden, headers_box=secrets.seal_headers(settings.headers, *ids))
        if settings.url != before.url:
            after = replace(after, link_sha256=None, link_until_ms=None, confirmed_url=None)
        if settings.routing_key != HIDDEN:
            after = replace(after, routing_key_box=secrets.seal_routing_key(settings.routing_key, *ids))
        if settings.asymmetric is not before.asymmetric:
            box, public_key = secrets.new_keys(self._secret(before), *ids, asymmetric=settings.asymmetric)
            after = replace(after, secret_box=box, public_key=public_key)
        sets, removes = changed_attributes(before, after)
        if settings.enabled and not before.enabled:
            removes += HEALTH
        elif before.enabled and not settings.enabled:
            disabled_at = to_rfc3339(self.env.clock())
            sets |= {"disabled_reason": DisabledReason.REQUEST.value, "disabled_at": disabled_at}
        return sets, removes

    @contextmanager
    def exclusively(self, endpoint: Endpoint, secs: int) -> Iterator[None]:
        """Allow one such call an endpoint at a time: a project cannot occupy many functions. Raises ConflictError."""
        now = self.env.clock()
        until_ms = now + secs * MS_PER_SEC  # after a crash, the next call may start then
        if not self.endpoints.begin_work(endpoint, now, until_ms):
            raise ConflictError(_AT_WORK)
        try:
            yield
        finally:
            with suppress(ClientError, BotoCoreError):  # the work is done; the lock also expires by itself
                self.endpoints.end_work(endpoint, until_ms)

    def _signs_now(self, endpoint: Endpoint, secret: str) -> bool:
        try:
            current = self.secrets.current(endpoint)
        except UnsealError:
            return False
        return hmac.compare_digest(parse_secret(current).key, parse_secret(secret).key)
