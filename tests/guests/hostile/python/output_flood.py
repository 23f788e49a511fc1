# expect: RE
# attack: T14 output_flood: more output than may be kept, in one line
# control: output_limit
for _ in range(160):
    print("y" * 4096, end="", flush=True)
print("\nESCAPED wrote 640 KiB")
