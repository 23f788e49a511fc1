"""Sending: from a hint to a recorded attempt.

`attempt`  send a delivery and record the attempt. `deliverer` is where a hint begins
`claim`    take the lease of a delivery and a send slot, in one transaction; park, pause or cancel the others
`limits`   send slots of projects, and who gets one that becomes free
`lanes`    queues of deliveries to one target, with a circuit breaker
"""
