"""Send a claimed delivery and record the attempt."""
