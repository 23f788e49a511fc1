// expect: RE SIG TLE MLE
// attack: T14 output_endless: output without end through the buffered stream, which grows when nobody reads
// alone: without the limit it would never end
const block = "z".repeat(65536);
for (;;) process.stdout.write(block);
