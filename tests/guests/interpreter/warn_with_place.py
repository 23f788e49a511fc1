import warnings
def old(): warnings.warn("old", DeprecationWarning, stacklevel=2)
old()
warnings.warn("own", UserWarning)
warnings.simplefilter("error")
warnings.warn("own", UserWarning)
