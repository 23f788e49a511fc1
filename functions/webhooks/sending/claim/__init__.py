"""Claim a delivery that may be sent now.

`claimer`                    claim the hinted delivery, or an older one of its lane; with the claim that reads nothing
`candidates`, `snapshots`    reads: a delivery with its endpoint, lane and slots; the next one in order
`leases`, `attempt_count`    one transaction: the lease, a slot, the check of the endpoint
`parking`                    the others: parked, paused, cancelled, waiting in order
`claimable`                  conditions that they share
"""
