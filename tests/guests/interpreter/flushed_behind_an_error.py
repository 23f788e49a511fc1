import sys


class Stream:
    def write(self, text):
        return sys.__stdout__.write(f"[{text}]")

    def flush(self):
        return sys.__stdout__.write("<flush>")


sys.stdout = Stream()
print("before")
raise ValueError("shown on stderr")
