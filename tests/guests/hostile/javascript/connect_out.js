// expect: AC
// attack: T26 connect_out: reaches for public, private and metadata addresses over UDP and TCP
// control: unreachable_network
const dgram = require("dgram");
const net = require("net");
const addresses = ["1.1.1.1", "10.0.0.1", "169.254.169.254", "169.254.170.2", "192.168.1.1"];
const attempts = addresses.flatMap((address) => [
  new Promise((resolve) => {
    const endpoint = dgram.createSocket("udp4");
    endpoint.on("error", resolve);
    endpoint.send("x", 53, address, (error) => {
      if (!error) console.log("ESCAPED sent to", address);
      endpoint.close();
      resolve();
    });
  }),
  new Promise((resolve) => {
    const endpoint = net.connect(80, address, () => console.log("ESCAPED connected to", address));
    endpoint.on("error", resolve);
  }),
]);
await Promise.all(attempts);
