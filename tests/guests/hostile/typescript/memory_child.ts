// expect: MLE
// attack: T16 memory_child: a pipeline of children eats, and the parent hides their death behind exit code 0
// control: memory_limit
const child = Bun.spawnSync(["/bin/sh", "-c", "head -c 320M /dev/zero | tail -n 1 | wc -c"]);
if (Number(child.stdout.toString()) === 320 << 20) console.log("ESCAPED children held 320 MiB");
await Bun.sleep(500);
