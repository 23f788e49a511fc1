import ctypes, select
servers = []
for family, address in PLACES:
    server = socket.socket(family)
    server.bind(address)
    server.listen()
    servers.append(server)
open("/dev/shm/neighbour", "w").write("secret")
print(len(servers), "servers", flush=True)
ctypes.CDLL(None).prctl(15, b"neighbour")
while True:
    for server in select.select(servers, [], [])[0]:
        server.accept()[0].send(b"secret")
