// expect: AC
// attack: T6 descriptor_bomb: opens handles and forgets them
// control: rlimits
import { type FileHandle, open } from "node:fs/promises";

const handles: FileHandle[] = [];
try {
  while (handles.length < 300) handles.push(await open("/dev/zero"));
  console.log(`ESCAPED has ${handles.length} handles`);
} catch {}
process.exit(0);
