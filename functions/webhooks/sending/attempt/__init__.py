"""Send a delivery and record the attempt.

`deliverer`                     send, record, hint the next attempt
`unguarded_sends`, `target`     send new deliveries of healthy targets, without a lease and a slot
`signed_request`                the request: body, headers, signature
`bodies`, `cloud_events`        the body, in the format of the endpoint
`endpoint_secrets`              signing keys and custom headers of an endpoint
`attempt_store`                 one transaction: attempt, delivery, endpoint, lane, slot
`attempted_endpoint`            its part about the endpoint: failures, health, disabling
"""
