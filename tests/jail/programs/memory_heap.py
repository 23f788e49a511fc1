# expect: MLE
# attack: T16 heap
blocks = []
while True:
    blocks.append(bytearray(16 << 20))
