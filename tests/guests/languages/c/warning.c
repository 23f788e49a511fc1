#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <pthread.h>
#warning careful
int main(void) { signed char s = 300; puts(s == 44 ? "ok" : "bad"); return 0; }
