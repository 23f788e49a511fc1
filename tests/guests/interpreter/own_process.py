import os
print(os.getpid(), os.getppid(), os.getcwd(), os.path.basename(os.readlink("/proc/self/exe")))
print(open("/proc/self/cmdline").read().split("\0"))
print(open("/proc/self/comm").read())
