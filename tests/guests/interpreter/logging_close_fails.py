import logging


class Broken(logging.Handler):
    def close(self):
        raise LookupError("at the end")


logging.getLogger().addHandler(Broken())
print("before")
