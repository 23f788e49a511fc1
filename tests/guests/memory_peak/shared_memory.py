open('/dev/shm/x', 'wb').write(bytes(150 << 20))
