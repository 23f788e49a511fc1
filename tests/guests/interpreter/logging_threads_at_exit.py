import atexit
import logging
import threading

logging.basicConfig(level=logging.DEBUG, format="%(threadName)s %(message)s")
atexit.register(logging.info, "at the end")
thread = threading.Thread(target=logging.info, args=("in a thread",), name="other")
thread.start()
thread.join()
