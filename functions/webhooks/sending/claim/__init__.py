"""Claim a delivery that may be sent now.

`claimer`                    claim the hinted delivery, or an older one of its lane
`candidates`, `snapshots`    reads: a delivery with its endpoint, lane and slots; the next one in order
`leases`                     one transaction: the lease and a slot
`parking`                    the others: parked, paused, cancelled, waiting in order
`claimable`                  conditions that they share
"""
