// expect: AC
// attack: T26 T27 connect_runner: connects to a port of the runner's host through the runtime's own sockets
// control: network_namespace
const [port]: string[] = (await Bun.stdin.text()).split(" ");
try {
  const socket = await Bun.connect({ hostname: "127.0.0.1", port: Number(port), socket: { data() {} } });
  console.log("ESCAPED connected to", socket.remoteAddress);
  socket.end();
} catch {}
