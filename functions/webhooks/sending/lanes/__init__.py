"""Lanes: deliveries to one target wait here, oldest first.

`lane`                      a lane and its circuit breaker
`lane_rows`, `lane_store`   its row, its parked deliveries, and the waiting marks
`ordered_queue`             the queue of an ordered endpoint
"""
