# expect: AC
# attack: T6 inode_bomb: empty files, which no byte limit counts
# control: inode_limit
import os

try:
    for number in range(20_000):
        os.mknod(f"/dev/shm/{number}")
    print("ESCAPED made 20000 files")
except OSError:
    pass
