// expect: AC
// attack: T22 T29 identity: is it root, in a group of the host, or able to become either
// control: unprivileged_user
if (process.getuid() === 0 || process.getgid() === 0 || process.geteuid() === 0) console.log("ESCAPED is root");
if (process.getgroups().some((group) => group !== process.getgid())) console.log("ESCAPED is in a group");
for (const become of ["setuid", "setgid", "seteuid", "setegid"]) {
  try {
    process[become](0);
    console.log("ESCAPED", become);
  } catch {}
}
