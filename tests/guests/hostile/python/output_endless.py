# expect: RE
# attack: T14 output_endless: output without end and as fast as it goes, not UTF-8
# alone: without the limit it would never end
import os

block = b"\xff\xfe" * 32768
while True:
    os.write(1, block)
