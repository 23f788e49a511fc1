import multiprocessing
print("begun", __name__)
multiprocessing.get_context("spawn").Process(target=print, name="unguarded").start()
