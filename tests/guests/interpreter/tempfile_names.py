import tempfile
print(tempfile.gettempdir())
with tempfile.NamedTemporaryFile() as f:
    f.write(b"x")
