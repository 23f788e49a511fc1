import atexit
def bad(): raise ValueError("in atexit")
atexit.register(print, "later")
atexit.register(bad)
