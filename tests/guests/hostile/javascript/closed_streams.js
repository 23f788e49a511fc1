// expect: AC RE SIG
// attack: T13 closed_streams: closes all three streams and writes on
// alone: it attacks the supervisor, which has no part that could be left out
const fs = require("fs");
for (const stream of [0, 1, 2]) fs.closeSync(stream);
console.log("text for nobody");
console.error("text for nobody");
