"""Lambda entry point of /api/webhooks, /api/deliveries and /api/secrets: what leaves a project, and with which keys."""

from functions.env import Env
from functions.handlers.chat_cards import chat_cards
from functions.http.resolver import api_handler
from functions.project_secrets.api import SECRET_ROUTES, SecretRoutes
from functions.projects.changes import change_log
from functions.settings import refuse_insecure_stage
from functions.submissions.transforms import QueuedTransforms
from functions.webhooks.api import DELIVERY_ROUTES, ENDPOINT_ROUTES, RECIPIENT_ROUTES, DeliveryRoutes
from functions.webhooks.cards import cards
from functions.webhooks.changes import ChangeEvents
from functions.webhooks.endpoint_routes import EndpointRoutes
from functions.webhooks.recipients import RecipientRoutes
from functions.webhooks.sending.transforms import transform_runs
from functions.webhooks.transform_routes import TRANSFORM_ROUTES, TransformRoutes

refuse_insecure_stage()

SETTINGS = (
    *("smtp_url_parameter", "email_from", "email_domains"),
    *("stage", "projects_table", "deliveries_table", "quotas_table", "deliveries_queue_url"),
    *("endpoint_secrets_key_id", "public_base_url", "allow_insecure_webhook_targets", "egress_addresses"),
    *("submissions_table", "payloads_bucket", "pending_redrive_secs", "offered_languages", "runners_table"),
    *("interactive_queue_url", "batch_queue_url", "network_queue_url"),
)
ENV = Env("endpoints", SETTINGS)
ENV.provide(cards, chat_cards)
ENV.provide(change_log, ChangeEvents)
ENV.provide(transform_runs, QueuedTransforms)

handler = api_handler(
    ENV,
    (RECIPIENT_ROUTES, RecipientRoutes),
    (ENDPOINT_ROUTES, EndpointRoutes),
    (TRANSFORM_ROUTES, TransformRoutes),
    (DELIVERY_ROUTES, DeliveryRoutes),
    (SECRET_ROUTES, SecretRoutes),
)
