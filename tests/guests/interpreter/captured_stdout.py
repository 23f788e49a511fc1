import io, contextlib
with contextlib.redirect_stdout(io.StringIO()) as out:
    print("inside")
print(repr(out.getvalue()))
