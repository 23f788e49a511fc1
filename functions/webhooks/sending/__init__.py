"""Sending: from a hint to a recorded attempt.

`deliverer`   send a hinted delivery, record the attempt, hint the next one. Healthy targets need no lease
`requests`    the request: body in the format of the endpoint, headers, signature
`attempts`    one transaction: attempt, delivery, endpoint, lane, slot
`claim`       take a delivery that may be sent now; park, pause or cancel the others
`leases`      read a delivery with its target; one transaction: its lease and a send slot; the other ends of a claim
`slots`       send slots of projects: the limits, their row, and hints when one becomes free
`lanes`       queues of deliveries to one target, with a circuit breaker, and those of ordered endpoints
"""
