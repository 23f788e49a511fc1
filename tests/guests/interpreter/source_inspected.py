import inspect
def f(a, *, b=2):
    """Doc."""
    return a + b
print(inspect.getsource(f), inspect.signature(f), inspect.getfile(f), inspect.getdoc(f))
print(inspect.getmodule(f), inspect.stack()[0].code_context, len(inspect.stack()))
