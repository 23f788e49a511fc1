from concurrent.futures import ThreadPoolExecutor, wait
pool = ThreadPoolExecutor(1)
failed = pool.submit(lambda: 1 / 0)
wait([failed])  # the traceback differs when `result` has to wait
failed.result()
