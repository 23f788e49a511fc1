// expect: RE
// attack: T16 imitate_out_of_memory: ends with the exit code by which others recognise an out-of-memory kill
// alone: it attacks the verdict, which goes by the kernel's counters only
#include <stdlib.h>
int main(void) {
    exit(137);
}
