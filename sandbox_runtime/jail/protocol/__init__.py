"""Messages between the supervisor and the processes inside: `slot_terms` once a slot, `wire` for each run."""
