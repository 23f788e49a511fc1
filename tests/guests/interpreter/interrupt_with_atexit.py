import atexit
atexit.register(print, "bye")
raise KeyboardInterrupt("now")
