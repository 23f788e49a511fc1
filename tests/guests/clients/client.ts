// Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`.
import net from "node:net";

let patience = 20000;

function byNet(host: string, port: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = net.connect({ host, port: Number(port) });
    socket.setTimeout(patience, () => socket.destroy(new Error("timeout of net")));
    socket.on("connect", () => socket.write(`GET / HTTP/1.0\r\nhost: ${host}\r\n\r\n`));
    socket.on("data", (data) => (text += data));
    socket.on("error", reject);
    socket.on("close", () => resolve(text.split("\r\n\r\n").pop()));
  });
}

for (const line of (await Bun.stdin.text()).trim().split("\n")) {
  const [name, scheme, host, port] = line.split(" ");
  patience = name === "silent" ? 1000 : 20000;
  const tls = name === "bad_certificate" ? {} : { ca: process.env.CA_PEM };
  try {
    const answer = await fetch(`${scheme}://${host}:${port}/`, { tls, signal: AbortSignal.timeout(patience) });
    console.log(`${name}: ${await answer.text()}`);
  } catch (error: any) {
    console.log(`${name}: ${error.code ?? error.name}`);
  }
  if (scheme === "http") {
    try {
      console.log(`${name}_by_net: ${await byNet(host, port)}`);
    } catch (error: any) {
      console.log(`${name}_by_net: ${error.code ?? error.message}`);
    }
  }
}
