"""Doc."""
print(__doc__)
