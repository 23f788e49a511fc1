# expect: PLE
# attack: T8 fork_bomb_endless: every process forks for ever
import os

while True:
    os.fork()
