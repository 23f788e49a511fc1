"""The supervisor: trusted code outside the guest that starts a run, watches it and reports its outcome.

1. `slot` runs one program at a time, as `slot_config` says. `template_process` is its template.
2. `launch` starts a run; `run_io` has its files and pipes, `set_up_cpus` and `setup_timeout` the bounds of its set-up.
3. `watch` follows it: `streams` its output, `observation` the reports, `deadlines` and `cpu_wait` its time.
4. `process_stop` and `fork_refusals` look at the remaining processes. `outcome` puts everything together.
"""
