# expect: PLE
# attack: T8 fork_bomb_endless: every process forks for ever; ends with an error once it was refused often enough
# alone: without the limit it would never end
import os
import time

refused = 0
while refused < 100:
    try:
        os.fork()
    except OSError:
        # Of two forks at once the process rlimit may refuse one before the group counts the other. A pause lets that
        # one get there.
        refused += 1
        time.sleep(0.002)
os._exit(1)
