import sys


class Code:
    def __str__(self):
        return "text"

    def __format__(self, kind):
        return "another"


sys.exit(Code())
