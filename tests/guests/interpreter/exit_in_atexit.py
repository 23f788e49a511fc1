import atexit, sys
atexit.register(print, "first registered")
atexit.register(sys.exit, 5)
sys.exit(3)
