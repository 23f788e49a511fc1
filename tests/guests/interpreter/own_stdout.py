import sys, io
sys.stdout = io.TextIOWrapper(open("/proc/self/fd/1", "wb", 0), write_through=False) if False else io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
print("buffered, flushed at the end")
