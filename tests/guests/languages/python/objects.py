print('before', flush=True)
a = []
while True: a.append([str(i) for i in range(1000)])