import sys
print('before')
while True: sys.stdout.write('y' * 65536)