"""Which run gets which slot, in the order of a run's way.

1. `job` is a run on its way to a slot. The intakes make it.
2. `fair_share` is the policy that shares slots between projects, and between the runs of each.
3. `capacity` applies it: jobs wait there, and start when a slot is ready.
4. `slot_threads` run the started jobs, one thread for each slot.
5. `managed_slot` replaces a slot of the jail after a failure, and prepares its next run.
6. `second_slot` lends a free slot to a judge run. `interactor_slots` opens slots for interactors when they are needed.
"""
