"""Lambda entry point of /api/admin: trace, redrive and purge, for the administrator's key."""

import functools

from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.aws.secrets import secret
from functions.checks.run_store import RunStore
from functions.checks.store import CheckStore
from functions.clock import now_ms
from functions.http.resolver import PerThread, Resolver
from functions.operations.purge import Purge
from functions.operations.redrive import QUEUE_NAMES, DeadLetters, Redrive
from functions.operations.routes import OperationRoutes
from functions.projects.admin_key import AdminGate
from functions.projects.quota_store import QuotaStore
from functions.projects.registry import ProjectRegistry
from functions.settings import OperationSettings, load
from functions.submissions.delete import Deletion
from functions.submissions.list_store import SubmissionList
from functions.submissions.store import SubmissionStore
from functions.telemetry import logger
from functions.webhooks.deliveries.list_store import DeliveryList
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.changes import EndpointChanges
from functions.webhooks.endpoints.store import EndpointStore


@functools.cache
def wiring() -> OperationRoutes:
    """Return the wired parts, created on the first call."""
    log, settings, dynamodb = logger("operations"), load(OperationSettings), Clients.dynamodb()
    submissions = SubmissionStore(settings.submissions_table, dynamodb)
    deliveries = DeliveryStore(settings.deliveries_table, dynamodb)
    quotas = QuotaStore(settings.quotas_table, dynamodb)
    deletion = Deletion(submissions, deliveries, quotas, Payloads(settings.payloads_bucket, Clients.s3))
    purge = Purge(
        SubmissionList(settings.submissions_table, dynamodb),
        deletion,
        EndpointStore(settings.deliveries_table, dynamodb),
        EndpointChanges(settings.deliveries_table, settings.quotas_table, dynamodb),
        CheckStore(settings.checks_table, dynamodb),
        RunStore(settings.checks_table, dynamodb),
        deliveries,
    )
    urls = {
        name: DeadLetters(getattr(settings, f"{name}_dead_letters_url"), getattr(settings, f"{name}_queue_url"))
        for name in QUEUE_NAMES
    }
    return OperationRoutes(
        gate=AdminGate(settings.admin_key_parameter, settings.stage, secret, log),
        submissions=submissions,
        deliveries=deliveries,
        listing=DeliveryList(settings.deliveries_table, dynamodb),
        projects=ProjectRegistry(settings.projects_table, dynamodb),
        redriver=Redrive(Clients.sqs()),
        purger=purge,
        dead_letters=urls,
        log_group_prefix=settings.log_group_prefix,
        clock=now_ms,
        log=log,
    )


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("operations"))
    app.get("/api/admin/submissions/<id_text>")(lambda id_text: wiring().trace(app, id_text))
    app.post("/api/admin/dead-letters/<queue>/redrive")(lambda queue: wiring().redrive(app, queue))
    app.post("/api/admin/projects/<id_text>/purge")(lambda id_text: wiring().purge(app, id_text))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
