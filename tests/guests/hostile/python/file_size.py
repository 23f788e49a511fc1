# expect: RE
# attack: T6 file_size: one file larger than the limit
# control: rlimits
with open("big", "wb", buffering=0) as stream:
    for _ in range(64):
        if stream.write(b"x" * 65536) != 65536:
            raise SystemExit("cut short")
print("ESCAPED made a file of 4 MiB")
