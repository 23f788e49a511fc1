// expect: PLE
// attack: T8 process bomb through the runtime's own process API
const children = [];
for (let i = 0; i < 64; i++) children.push(Bun.spawn(["/usr/bin/sleep", "100"]));
console.log("spawned all");
