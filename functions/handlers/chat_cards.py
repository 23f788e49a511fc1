"""Cards of all events, for endpoints with the format of a chat service."""

from functions.checks.cards import CHECK_CARDS
from functions.dialects.judge0.views import callback_body
from functions.env import Env
from functions.webhooks.cards import Cards, completed_card, judged_card
from functions.webhooks.vocabulary import EVENT_COMPLETED, EVENT_JUDGED

CARDS = Cards({EVENT_COMPLETED: completed_card, EVENT_JUDGED: judged_card, **CHECK_CARDS}, callback_body)


def chat_cards(_env: Env) -> Cards:
    """Return the cards of all events: what `webhooks.cards.cards` needs."""
    return CARDS
