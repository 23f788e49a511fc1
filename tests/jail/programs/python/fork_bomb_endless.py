# expect: PLE
# attack: T8 fork_bomb_endless: every process forks for ever
# alone: without the limit it would never end
import os

while True:
    os.fork()
