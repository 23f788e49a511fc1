# expect: AC
# attack: T13 closed_streams: closes all three streams and goes on
# alone: it attacks the supervisor, which has no part that could be left out
import os

for number in (0, 1, 2):
    os.close(number)
