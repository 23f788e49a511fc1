import logging
import sys


class Loud:
    def write(self, text):
        return sys.__stderr__.write(text.upper())

    def flush(self):
        return sys.__stderr__.flush()


sys.stderr = Loud()
logging.error("shown")
