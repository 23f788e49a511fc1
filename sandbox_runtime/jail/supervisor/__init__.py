"""The supervisor: trusted code outside the guest that starts a run, watches it and reports its outcome.

1. `slot` runs one program at a time, and puts its outcome together.
2. `launch` starts the template of a slot, and each run; `run_io` has its files, pipes and captured output.
3. `watch` follows it and reads its reports; `deadlines` decides when it must stop.
"""
