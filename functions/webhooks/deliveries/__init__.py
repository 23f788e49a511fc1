"""Deliveries: one event for one endpoint.

`model`        states, the state after each response, and a request that tells another service about a run
`store`        how they and the due index lie in DynamoDB, and single steps; cancel what a deleted endpoint leaves open
`publication`  store an event with its deliveries, send hints that name a due delivery, and put it on the bus
`views`        what a client sees
`replay`       lists, and a sample of an endpoint's latencies; send again one delivery, or all of an endpoint
"""
