"""Routes of /api/deliveries: list and show deliveries, and replay them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC, from_rfc3339
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError, NotFoundError, UnavailableError
from functions.event_log.model import TTL_MS
from functions.failpoint import reach
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
from functions.http.parameters import page_limit, start_after
from functions.projects.authentication import authenticate
from functions.webhooks.deliveries.model import OPEN, RUN_ENDPOINT_ID, DeliveryState
from functions.webhooks.deliveries.replay import MAX_ATTEMPTS, REPLAYABLE, ReplayResult
from functions.webhooks.deliveries.report import TOKEN, Report
from functions.webhooks.deliveries.rows import created_key
from functions.webhooks.deliveries.views import (
    DELIVERY_KEY,
    delivery_detail_body,
    delivery_filters,
    delivery_id,
    listed_body,
)
from functions.webhooks.endpoints.requests import REPLAY_WINDOW_SECS, parse_replay
from functions.webhooks.vocabulary import EVENT_REPORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.deliveries.views import ListedDelivery
    from functions.webhooks.deployment import WebhookDeployment

NO_SUCH_DELIVERY = "There is no such delivery."
_CANNOT_SIGN = "A final delivery to a run's own webhook has no secret any more. Repeat the request with webhook_secret."
_WRONG_FORM = "The report of a run needs its token here: up to 255 visible ASCII characters."
_REFUSALS = {
    ReplayResult.EVENT_GONE: "The event is gone: its submission was deleted, or the event is older than 14 days.",
    ReplayResult.ALREADY_DUE: "The delivery is already due or being sent. Wait for its next attempt.",
    ReplayResult.ENDPOINT_DISABLED: "The endpoint is disabled or deleted. Enable it, then repeat the request.",
}


@dataclass(frozen=True, slots=True)
class DeliveryRoutes:
    """Handlers of /api/deliveries. All of them raise ServiceError."""

    deployment: WebhookDeployment

    def page(self, app: Resolver) -> Response[str]:
        """List the project's deliveries, newest first."""
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.deployment).project_id
        limit, filters = page_limit(query), delivery_filters(query)
        after = start_after(query, project_id, DELIVERY_KEY)
        page = self.deployment.delivery_list.page(project_id, filters, limit=limit, after=after)
        shown = [one for one in self._with_deletions(page.rows) if filters.state in {None, one.state}]
        attempts = self.deployment.delivery_list.newest_attempts(shown)

        def body(delivery: Delivery) -> ListedDelivery:
            return listed_body(delivery, attempts.get((delivery.event_id, delivery.endpoint_id)))

        return page_answer(project_id, replace(page, rows=tuple(shown)), body, created_key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Show one delivery with its attempts."""
        (delivery,) = self._with_deletions([self._own(app, id_text)])
        return self._show(delivery)

    def replay(self, app: Resolver, id_text: str) -> Response[str]:
        """Send one delivery again: same id and bytes, new timestamp, new schedule."""
        delivery = self._own(app, id_text)
        if delivery.attempt >= MAX_ATTEMPTS:
            raise ConflictError(f"A delivery has at most {MAX_ATTEMPTS:,} attempts, and this one has used them.")
        event = app.current_event
        secret = parse_replay(json_body(event) if event.body else b"").webhook_secret
        is_kept = self._age_ms(delivery) < REPLAY_WINDOW_SECS * MS_PER_SEC
        replayed = ReplayResult.EVENT_GONE
        if is_kept:
            box, also = self._box(delivery, secret), self.deployment.log_writer.replay_actions(delivery)
            replayed = self.deployment.replays.replay(delivery, box, also)
        if replayed is ReplayResult.CONTENDED:
            raise UnavailableError("Other requests keep changing this delivery. Repeat the request.", 1)
        if replayed is ReplayResult.ALREADY_DUE and _cannot_sign(delivery):
            raise ConflictError(_CANNOT_SIGN)
        if replayed is not ReplayResult.DONE:
            raise ConflictError(_REFUSALS[replayed])
        reach("replay.after_write")
        self.deployment.recovery.hint(delivery)
        return self._show(self._own(app, id_text), 202)

    def _with_deletions(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Return deliveries of one project; open ones of a deleted endpoint as cancelled, before their rows are."""
        open_ones = [one for one in deliveries if one.state in OPEN and one.endpoint_id != RUN_ENDPOINT_ID]
        if not open_ones:
            return list(deliveries)
        present = {endpoint.endpoint_id for endpoint in self.deployment.endpoints.list_all(open_ones[0].project_id)}
        gone = {(one.event_id, one.endpoint_id) for one in open_ones if one.endpoint_id not in present}
        return [
            replace(one, state=DeliveryState.CANCELLED) if (one.event_id, one.endpoint_id) in gone else one
            for one in deliveries
        ]

    def _box(self, delivery: Delivery, secret: str | None) -> bytes | None:
        """Seal the secret in a replay request for a run's own webhook; None for other deliveries."""
        if secret is None or delivery.endpoint_id != RUN_ENDPOINT_ID:
            return None
        if delivery.event_type == EVENT_REPORT:
            return self._report_box(delivery, secret)
        return self.deployment.secret_boxes.seal(secret, delivery.project_id, RUN_ENDPOINT_ID)

    def _report_box(self, delivery: Delivery, token: str) -> bytes | None:
        if not re.fullmatch(TOKEN, token):
            raise InvalidFieldsError((FieldProblem("webhook_secret", _WRONG_FORM),))
        event = self.deployment.deliveries.get_event(delivery.event_id)
        if event is None:
            return None
        return self.deployment.secret_boxes.seal(token, delivery.project_id, Report.of(event.body).owner, "report")

    def _show(self, delivery: Delivery, status: int = 200) -> Response[str]:
        attempts = self.deployment.delivery_list.last_attempts(delivery)
        return answer(delivery_detail_body(delivery, attempts), status)

    def _age_ms(self, delivery: Delivery) -> int:
        return self.deployment.clock() - from_rfc3339(delivery.created_at)

    def _own(self, app: Resolver, id_text: str) -> Delivery:
        """Return the caller's delivery.

        Raises UnauthorizedError, BadRequestError, NotFoundError, each with one text for every reason.
        """
        project_id = authenticate(app.current_event, self.deployment).project_id
        delivery = self.deployment.deliveries.get_delivery(*delivery_id(id_text))
        if delivery is None or delivery.project_id != project_id or self._age_ms(delivery) >= TTL_MS:
            raise NotFoundError(NO_SUCH_DELIVERY)
        return delivery


def _cannot_sign(delivery: Delivery) -> bool:
    return delivery.endpoint_id == RUN_ENDPOINT_ID and delivery.state in REPLAYABLE and not delivery.secret_box
