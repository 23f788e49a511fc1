"""What this host can give, and what to change where it cannot."""
