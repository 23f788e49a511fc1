"""Routes of /api/webhooks and /api/deliveries.

`api`                                      the table: each route once, for the resolver and the OpenAPI document
`endpoint_routes`, `action_routes`         endpoints; rotate, test, recover
`endpoint_creation`, `endpoint_change`     create once for each Idempotency-Key; change what a request names
`delivery_routes`                          deliveries, and their replay
`own_endpoints`, `test_event`, `views`     what the routes of endpoints share, and what only they show
`openapi_events`, `openapi_event_bodies`   the events about endpoints, for the document
"""
