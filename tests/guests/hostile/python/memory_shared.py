# expect: MLE
# attack: T16 memory_shared: anonymous shared memory, which is not in the process's own resident set
# control: memory_limit
import mmap

kept = []
for _ in range(40):
    block = mmap.mmap(-1, 8 << 20, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    block.write(b"x" * (8 << 20))
    kept.append(block)
print("ESCAPED holds 320 MiB of shared memory")
