import os
print(sorted(os.environ.items()))
print(sorted(open("/proc/self/environ").read().split("\0")))
