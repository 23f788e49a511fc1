"""Send a claimed delivery and record the attempt.

`deliverer`                     claim, send, record, hint the next attempt
`signed_request`                the request: body, headers, signature
`bodies`, `cloud_events`        the body, in the format of the endpoint
`endpoint_secrets`              signing keys and custom headers of an endpoint
`attempt_store`                 one transaction: attempt, delivery, endpoint, lane, slot
`attempted_endpoint`            its part about the endpoint: failures, health, disabling
"""
