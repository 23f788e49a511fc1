"""Webhooks: events go to the endpoints of a project, signed, with retries, fair to all.

In the order of a reader, each layer over the next ones (import-linter holds this):

`routes`      /api/webhooks and /api/deliveries: one table, and a method for each route
`deployment`  the stores of this part, and what claims and sends deliveries
`alerts`      events about endpoints and deliveries that fail
`sending`     claim a delivery, send it, record the attempt
`cards`       messages for people, in the formats of chat services
`deliveries`  one event for one endpoint: its row and states, its hints, replay and recovery
`endpoints`   URL, settings, filters and health of an endpoint
`sealed_secrets`  secrets at rest
`egress`      one request to a checked address
`signature`   the signature of a request, and its headers
`webhook_url` the allowed URLs and addresses
`vocabulary`  types of events, the result of a send, the retry schedule

    outbox or the completion of a run ──rows, then hints──▶ queue ──▶ sending ──▶ receiver
    sweeper: sends hints of late rows again, wakes lanes, publishes alerts

Events themselves, their log and the bus are in `functions.event_log`.
"""
