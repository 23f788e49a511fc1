x = bytearray(150 << 20)
