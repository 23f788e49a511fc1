# expect: AC
# attack: T28 abstract_socket: connects to an abstract socket of the host, whose name no mount hides
# control: network_namespace
import socket

key = input().split()[1]
with socket.socket(socket.AF_UNIX) as endpoint:
    try:
        endpoint.connect(f"\0rustbox-beacon-{key}")
        print("ESCAPED connected to the host")
    except OSError:
        pass
