open('/tmp/x', 'wb').write(bytes(150 << 20))
