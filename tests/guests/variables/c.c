#include <stdio.h>
#include <stdlib.h>
int main(void) { char *g = getenv("GREETING"); printf("%s %s\n", g ? g : "none", getenv("PATH")); }
