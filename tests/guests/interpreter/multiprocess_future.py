import concurrent.futures, multiprocessing
def divide(n): return 6 // n
if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        print(list(pool.map(divide, [1, 2, 3])))
        failed = pool.submit(divide, 0)
        concurrent.futures.wait([failed])  # the traceback differs when `result` has to wait
        failed.result()
