"""Evidence of each control, measured on the guest itself."""
