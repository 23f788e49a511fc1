// expect: AC
// attack: T26 resolve_name: asks name servers of its own choice
// alone: a jail with the way out would ask servers that are not the test's
import { Resolver } from "node:dns/promises";

const resolver = new Resolver({ timeout: 500, tries: 1 });
resolver.setServers(["1.1.1.1", "8.8.8.8"]);
try {
  console.log("ESCAPED", await resolver.resolve4("example.com"));
} catch {}
process.exit(0);
