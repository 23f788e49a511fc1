import logging
import sys


class Counting:
    def write(self, text):
        return sys.__stderr__.write(text.upper())

    def flush(self):
        print("flushed", flush=True)


sys.stderr = Counting()
logging.error("shown")
