# expect: MLE
# attack: T6 T16 memory_tmpfs: fills every writable mount with files below the file size limit
# control: memory_limit
for number in range(330):
    place = ("/tmp", "/dev/shm", ".")[number % 3]
    with open(f"{place}/file{number}", "wb") as stream:
        stream.write(b"x" * (1 << 20))
print("ESCAPED stored 330 MiB in files")
