// expect: AC
// attack: T13 closed_streams: ends its streams and puts files in their places
// alone: it attacks the supervisor, which has no part that could be left out
import { closeSync, openSync } from "node:fs";

const numbers: number[] = [0, 1, 2];
numbers.forEach(closeSync);
const replaced: number[] = numbers.map((number) => openSync(`stream-${number}`, "w+"));
process.exit(replaced.length === 3 ? 0 : 1);
