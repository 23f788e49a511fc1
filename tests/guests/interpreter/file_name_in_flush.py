import sys


class Stream:
    def write(self, text):
        return sys.__stdout__.write(text)

    def flush(self):
        sys.__stdout__.write(f"{'__file__' in globals()} ")
        sys.__stdout__.flush()


sys.stdout = Stream()
