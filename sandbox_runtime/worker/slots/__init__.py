"""Which run gets which slot, in the order of a run's way.

1. `slot_share` is the policy that shares slots between projects: pure functions.
2. `capacity` applies it: runs wait there, and start when a slot is ready.
3. `slot_threads` run the started jobs, one thread for each slot.
4. `managed_slot` replaces a slot of the jail after a failure, and prepares its next run.
5. `second_slot` lends a free slot to a judge run. `interactor_slots` opens slots for interactors when they are needed.
"""
