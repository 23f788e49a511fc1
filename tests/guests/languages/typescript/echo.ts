import { readFileSync, writeSync } from 'fs';
const data: Buffer = readFileSync(0);
writeSync(1, data);