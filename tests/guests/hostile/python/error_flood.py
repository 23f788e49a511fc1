# expect: RE
# attack: T14 error_flood: the same on the error stream
# control: output_limit
import sys

for number in range(10_000):
    print(number, "this line is repeated very often, and then some more", file=sys.stderr)
print("ESCAPED wrote 550 KB of errors")
