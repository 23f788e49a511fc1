#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>

int main(void) { char b[8192]; FILE *f = fopen("/proc/self/limits", "r"); fwrite(b, 1, fread(b, 1, sizeof b, f), stdout); return 0; }
