# expect: MLE
# attack: T16 memory_heap: heap of many small objects
# control: memory_limit
kept = []
while len(kept) < 2_000_000:
    kept.append([len(kept)])
print("ESCAPED holds 2 million lists")
