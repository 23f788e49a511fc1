import atexit
import logging
import logging.handlers


class Told(logging.StreamHandler):
    def flush(self):
        print("flush", flush=True)

    def close(self):
        print("close", flush=True)
        super().close()


atexit.register(print, "registered behind it")
target = logging.StreamHandler()
logging.getLogger().addHandler(logging.handlers.MemoryHandler(10, target=target))
logging.getLogger("a").addHandler(Told())
logging.getLogger("a").error("kept until the end")
