# expect: AC
# attack: T6 descriptor_bomb: opens the same file again and again
# control: rlimits
import os

opened = []
try:
    while len(opened) < 300:
        opened.append(os.open("/dev/null", os.O_RDONLY))
    print("ESCAPED has 300 descriptors")
except OSError:
    pass
