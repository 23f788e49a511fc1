// expect: AC RE
// attack: T21 native_calls: calls the C library through the engine's foreign function interface
// control: seccomp
import { dlopen } from "bun:ffi";
const { symbols } = dlopen("libc.so.6", {
  unshare: { args: ["i32"], returns: "i32" },
  ptrace: { args: ["i32", "i32", "ptr", "ptr"], returns: "i64" },
});
if (symbols.unshare(0x10000000) === 0) console.log("ESCAPED made a user namespace");
