// expect: AC
// attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
// control: network_namespace
const port = Number(require("fs").readFileSync(0, "utf8").split(" ")[0]);
await new Promise((resolve) => {
  const endpoint = require("net").connect(port, "127.0.0.1", () => {
    console.log("ESCAPED connected to the host");
    endpoint.destroy();
    resolve();
  });
  endpoint.on("error", resolve);
});
