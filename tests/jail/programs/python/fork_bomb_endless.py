# expect: PLE
# attack: T8 fork_bomb_endless: every process forks for ever; ends with an error once it was refused often enough
# alone: without the limit it would never end
import os

refused = 0
while refused < 1000:
    try:
        os.fork()
    except OSError:
        # Two forks at one moment: the process rlimit may refuse one before the group counts it. It goes on.
        refused += 1
os._exit(1)
