// expect: SIG
// attack: T14 error_flood: the same on the error stream
// control: output_limit
#include <stdio.h>
int main(void) {
    for (int line = 0; line < 20000; line++) fprintf(stderr, "%d: this line is repeated very often\n", line);
    puts("ESCAPED wrote 800 KB of errors");
    return 0;
}
