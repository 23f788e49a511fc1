from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(3) as pool:
    print(sum(pool.map(lambda n: n * n, range(10))))
