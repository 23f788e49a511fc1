# expect: PLE
# attack: T8 fork bomb; the pids group must refuse before the host suffers
import os

while True:
    os.fork()
