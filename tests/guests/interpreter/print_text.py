print("hello", 42, [1, 2], {"a": 1}, end="!\n")
