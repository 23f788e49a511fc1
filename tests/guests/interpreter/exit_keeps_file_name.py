import atexit
import sys

atexit.register(lambda: print(__file__, flush=True))
sys.exit(3)
