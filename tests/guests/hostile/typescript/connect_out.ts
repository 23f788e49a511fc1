// expect: AC
// attack: T26 connect_out: sends datagrams to all kinds of addresses through the runtime's own sockets
// control: unreachable_network
const hosts: readonly string[] = ["8.8.8.8", "10.1.2.3", "169.254.169.254", "172.17.0.1", "192.168.0.1"];
for (const hostname of hosts) {
  try {
    const socket = await Bun.udpSocket({ connect: { hostname, port: 53 } });
    if (socket.send("question")) console.log(`ESCAPED sent to ${hostname}`);
    socket.close();
  } catch {}
}
