"""What the OpenAPI document says about judge runs, besides their routes."""

from functions.http.openapi.operation import Webhook
from functions.judging.views import JudgeCompletedEvent
from functions.webhooks.routes.openapi import REPEATED, RESPONSES
from functions.webhooks.vocabulary import EVENT_JUDGED

JUDGE_WEBHOOKS = {
    EVENT_JUDGED: Webhook("judgeCompleted", "A judge run is finished", REPEATED, JudgeCompletedEvent, RESPONSES)
}
