"""Routes of /api/webhooks and /api/deliveries.

`api`              the table: each route once, for the resolver and the OpenAPI document
`endpoint_routes`  create once for each Idempotency-Key, list, show, change and delete endpoints
`action_routes`    rotate, test, recover
`delivery_routes`  deliveries, and their replay
`views`            what only routes show
`openapi`          the events about endpoints and deliveries, for the document
"""
