for i in range(300): x = [bytes(100) for _ in range(1000)]
print('ok')