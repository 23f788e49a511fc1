# expect: AC
# attack: T29 host_name: learns the host's name
# control: uts_namespace
import socket

if socket.gethostname() != "rustbox-sandbox":
    print("ESCAPED the host is", socket.gethostname())
