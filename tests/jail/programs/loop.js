// expect: TLE
// attack: endless loop
for (;;) {}
