"""Sending: from a hint to a recorded attempt.

`deliverer`  send a hinted delivery, record the attempt, hint the next one. Healthy targets need no lease
`requests`   the request: body in the format of the endpoint, headers, signature
`claim`      take the lease of a delivery that may be sent now, and a send slot; park, pause or cancel the others
`attempts`   one transaction: attempt, delivery, endpoint, lane, slot
`slots`      send slots of projects: the limits, their row, and hints when one becomes free
`lanes`      queues of deliveries to one target, with a circuit breaker, and those of ordered endpoints
"""
