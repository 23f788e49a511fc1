// expect: PLE
// attack: T8 process_bomb: starts children through the runtime's own process API
// control: process_limit
const children = [];
for (let i = 0; i < 40; i++) children.push(Bun.spawn(["/usr/bin/sleep", "100"], { stdio: ["ignore", "ignore", "ignore"] }));
console.log("ESCAPED has", children.length, "children");
process.exit(0);
