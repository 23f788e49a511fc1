try:
    x = bytearray(1 << 45)
except MemoryError as e:
    print("no memory", e)
