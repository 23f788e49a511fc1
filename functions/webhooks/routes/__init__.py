"""Routes of /api/webhooks and /api/deliveries.

`endpoint_routes`, `action_routes`         endpoints; rotate, test, recover
`delivery_routes`                          deliveries, and their replay
`own_endpoints`, `test_event`, `views`     what the routes of endpoints share, and what only they show
`openapi`, `openapi_events`, `…_bodies`    their part of the OpenAPI document, and the events about endpoints
"""
