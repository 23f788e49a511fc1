# expect: MLE
# attack: T16 memory_heap: heap of many small objects
# control: memory_limit
kept = []
while len(kept) < 5_000_000:
    kept.append([len(kept)])
print("ESCAPED holds 5 million lists")
