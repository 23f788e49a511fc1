"""Events as messages for people: cards in the formats of Slack, Discord and Teams, and incidents of PagerDuty."""
