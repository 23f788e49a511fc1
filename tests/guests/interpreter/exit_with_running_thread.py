import sys, threading
go = threading.Event()
threading.Thread(target=lambda: (go.wait(), print("thread after exit"))).start()
import atexit
atexit.register(print, "atexit")
threading._register_atexit(go.set)
sys.exit(6)
