"""Webhooks: events go to the endpoints of a project, signed, with retries, fair to all.

In the order of a reader, each layer over the next ones (import-linter holds this):

`api`              the table of routes, and those of /api/deliveries
`endpoint_routes`  create once for each Idempotency-Key, list, show, change, delete; rotate, test, recover
`recipients`       the link by which a recipient of e-mail agrees, and its page
`views`            what a client sees of endpoints, and the events about them in the document
`sending`          claim a delivery, send it, record the attempt
`mail`             the mail of an event, and one send of it through the operator's server
`alerts`           events about endpoints and deliveries that fail
`cards`            messages for people, in the formats of chat services
`deliveries`       one event for one endpoint: its row and states, its hints, replay and recovery
`sealed_secrets`   secrets at rest
`endpoints`        URL, settings, filters and health of an endpoint
`egress`           one request to a checked address
`signature`        how a request is signed, and its headers
`webhook_url`      the allowed URLs and addresses
`vocabulary`       types of events, the result of a send, the retry schedule

    outbox or the completion of a run ──rows, then hints──▶ queue ──▶ sending ──▶ receiver
    sweeper: sends hints of late rows again, wakes lanes, publishes alerts

Events themselves, their log and the bus are in `functions.event_log`.
"""
