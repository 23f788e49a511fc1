"""Outside the guest, and trusted: start a run, watch it, report its outcome."""
