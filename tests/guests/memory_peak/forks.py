import os
full, over = os.pipe(), os.pipe()
for _ in range(8):
    if not os.fork():
        x = bytearray(15 << 20)
        os.write(full[1], b'x')
        os.close(over[1])
        os.read(over[0], 1)
        os._exit(0)
for _ in range(8):
    os.read(full[0], 1)
os.close(over[1])
for _ in range(8):
    os.wait()
