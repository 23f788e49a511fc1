// expect: AC
// attack: T6 inode_bomb: links, which no byte limit counts
// control: inode_limit
import { symlinkSync } from "node:fs";

let made: number = 0;
try {
  for (; made < 20_000; made++) symlinkSync("nowhere", `/dev/shm/link-${made}`);
  console.log(`ESCAPED made ${made} links`);
} catch {}
