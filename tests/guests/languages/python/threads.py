import threading
n = []
t = [threading.Thread(target=n.append, args=(i,)) for i in range(8)]
for x in t: x.start()
for x in t: x.join()
print(sum(n))