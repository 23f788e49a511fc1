# expect: AC
# attack: T26 resolve_name: names resolve to nothing, and at once
# alone: a jail with the way out would ask servers that are not the test's
import socket
import time

begun = time.monotonic()
for name in ("example.com", "metadata.google.internal", "host.docker.internal"):
    try:
        print("ESCAPED", socket.getaddrinfo(name, 80))
    except OSError:
        pass
if time.monotonic() - begun > 2:
    print("ESCAPED a refusal took its time")
