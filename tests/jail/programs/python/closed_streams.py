# expect: AC
# attack: T13 closed_streams: closes all three streams and goes on
import os

for number in (0, 1, 2):
    os.close(number)
