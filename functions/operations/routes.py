"""Routes of /api/admin. Every action is logged with its ids: these lines are the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import BadRequestError, ConflictError, NotFoundError
from functions.http import parameters
from functions.http.answers import answer
from functions.operations.trace import Trace, trace_body
from functions.projects.requests import project_id
from functions.projects.routes import NO_SUCH_PROJECT
from functions.submissions.results import NO_SUCH_RESULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler import Response

    from functions.clock import Clock
    from functions.http.resolver import Resolver
    from functions.operations.purge import Purge
    from functions.operations.redrive import DeadLetters, Redrive
    from functions.projects.admin_key import AdminGate
    from functions.projects.registry import ProjectRegistry
    from functions.submissions.store import SubmissionStore
    from functions.webhooks.deliveries.list_store import DeliveryList
    from functions.webhooks.deliveries.store import DeliveryStore


@dataclass(frozen=True, slots=True)
class OperationRoutes:
    """The routes and the parts that they use. `dead_letters` by the name of their queue."""

    gate: AdminGate
    submissions: SubmissionStore
    deliveries: DeliveryStore
    listing: DeliveryList
    projects: ProjectRegistry
    redriver: Redrive
    purger: Purge
    dead_letters: Mapping[str, DeadLetters]
    log_group_prefix: str
    clock: Clock
    log: Logger

    def trace(self, app: Resolver, id_text: str) -> Response[str]:
        """Show the life of one submission of any project."""
        self.gate.require(app)
        submission_id = parameters.uuid(id_text)
        row = self.submissions.get(submission_id)
        if row is None:
            raise NotFoundError(NO_SUCH_RESULT)
        deliveries = self.deliveries.deliveries_of(submission_id)
        attempts = {each.endpoint_id: self.listing.last_attempts(each) for each in deliveries}
        has_event = self.deliveries.get_event(submission_id) is not None
        self.log.info("Submission traced", **row.log_ids, project_id=row.project_id, request_id=app.request_id)
        body = trace_body(Trace(row, deliveries, attempts, has_event), self.log_group_prefix, self.clock())
        return answer(body)

    def redrive(self, app: Resolver, queue: str) -> Response[str]:
        """Move dead letters back to their queue."""
        self.gate.require(app)
        letters = self.dead_letters.get(queue)
        if letters is None:
            raise BadRequestError(f"The queue must be one of {', '.join(self.dead_letters)}.")
        redriven = self.redriver.move(letters)
        self.log.warning("Dead letters redriven", queue=queue, count=redriven.moved, request_id=app.request_id)
        return answer({"queue": queue, "moved": redriven.moved, "left": redriven.left})

    def purge(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete submissions, endpoints, checks, their history and events of a disabled project.

        Raises ConflictError while it is enabled.
        """
        self.gate.require(app)
        known = project_id(id_text)
        record = self.projects.get(known)
        if record is None:
            raise NotFoundError(NO_SUCH_PROJECT)
        if record.disabled_at is None:
            raise ConflictError("The project is enabled. Disable it first, so that nothing new is written meanwhile.")
        purged = self.purger.purge(known)
        self.log.warning(
            "Project purged",
            project_id=known,
            submissions=purged.submissions,
            endpoints=purged.endpoints,
            checks=purged.checks,
            check_runs=purged.check_runs,
            events=purged.events,
            complete=purged.complete,
            request_id=app.request_id,
        )
        return answer(
            {
                "project_id": known,
                "submissions_deleted": purged.submissions,
                "endpoints_deleted": purged.endpoints,
                "checks_deleted": purged.checks,
                "check_runs_deleted": purged.check_runs,
                "events_deleted": purged.events,
                "submissions_running": purged.running,
                "complete": purged.complete,
            }
        )
