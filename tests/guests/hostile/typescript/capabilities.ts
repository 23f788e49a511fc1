// expect: AC
// attack: T22 capabilities: reads in /proc what it may do
// control: no_capabilities
const lines: string[] = (await Bun.file("/proc/self/status").text()).split("\n");
for (const line of lines.filter((line) => line.startsWith("Cap"))) if (BigInt(`0x${line.split("\t")[1]}`) !== 0n) console.log("ESCAPED", line);
