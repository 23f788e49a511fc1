import atexit
atexit.register(print, "still called")
raise RuntimeError("x")
