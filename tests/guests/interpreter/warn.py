import warnings
warnings.warn("careful")
def f():
    warnings.warn("old", DeprecationWarning, stacklevel=2)
f()
