# expect: MLE
# attack: T16 memory_one_block: one object that is larger than the limit, at once
# control: memory_limit
block = bytearray(b"x") * (320 << 20)
print("ESCAPED holds", len(block), "bytes")
