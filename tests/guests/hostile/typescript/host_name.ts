// expect: AC
// attack: T29 host_name: asks a program of the system for the host's name
// control: uts_namespace
const name: string = Bun.spawnSync(["/usr/bin/uname", "-n"]).stdout.toString().trim();
if (name !== "rustbox-sandbox") console.log(`ESCAPED the host is ${name}`);
