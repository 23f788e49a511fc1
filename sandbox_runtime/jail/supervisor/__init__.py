"""The supervisor: trusted code outside the guest that starts a run, watches it and reports its outcome."""
