// expect: AC RE SIG
// attack: T13 closed_streams: closes all three streams and writes on
const fs = require("fs");
for (const stream of [0, 1, 2]) fs.closeSync(stream);
console.log("text for nobody");
console.error("text for nobody");
