// expect: AC
// attack: T26 resolve_name: names resolve to nothing, and at once
// alone: a jail with the way out would ask servers that are not the test's
const dns = require("dns").promises;
const begun = performance.now();
for (const name of ["example.com", "metadata.google.internal"]) {
  try {
    console.log("ESCAPED", await dns.lookup(name));
  } catch {}
}
if (performance.now() - begun > 2000) console.log("ESCAPED a refusal took its time");
