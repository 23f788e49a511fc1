#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>

int main(void) { char b[65536]; size_t n; while ((n = fread(b, 1, sizeof b, stdin))) fwrite(b, 1, n, stdout); return 0; }
