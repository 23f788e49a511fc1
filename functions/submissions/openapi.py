"""What the OpenAPI document says about submissions, besides their routes."""

from functions.http.openapi.document import Links
from functions.http.openapi.operation import Webhook
from functions.submissions.results.views import Accepted, CompletedEvent, WaitOver
from functions.webhooks.routes.openapi import REPEATED, RESPONSES
from functions.webhooks.vocabulary import EVENT_COMPLETED

WEBHOOKS = {
    EVENT_COMPLETED: Webhook("submissionCompleted", "A submission is finished", REPEATED, CompletedEvent, RESPONSES)
}
LINKS = Links(frozenset({Accepted, WaitOver}), ("getResult", "getStdout", "getStderr", "deleteResult"))
