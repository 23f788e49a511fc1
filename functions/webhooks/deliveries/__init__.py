"""Deliveries: one event for one endpoint.

`model`            states, and the state after each response
`rows`, `store`    how they and the due index lie in DynamoDB; cancel what a deleted endpoint leaves open
`publication`      store an event with its deliveries, send hints, and put it on the bus
`hints`            queue messages that name a due delivery
`views`, `lists`   what a client sees; lists, and a sample of an endpoint's latencies
`replay`           send again one delivery, or all of an endpoint
`exhausted_store`  counted deliveries that failed for good, for an alert
`report`           a request that tells another service about a run
"""
