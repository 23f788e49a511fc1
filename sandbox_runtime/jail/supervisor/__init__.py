"""The supervisor: trusted code outside the guest that starts a run, watches it and reports its outcome.

1. `slot` runs one program at a time. `template_process` is its template.
2. `launch` starts a run; `run_io` has its files, pipes and captured output.
3. `watch` follows it and reads its reports; `deadlines` decides when it must stop.
4. `fork_refusals` looks at the remaining processes. `outcome` puts everything together.
"""
