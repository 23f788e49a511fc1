#include <stdio.h>
#include <math.h>
__attribute__((section("mine"))) int x = 3;
extern int __start_mine[], __stop_mine[];
int main(int n, char **a) { printf("%d %d", *__start_mine, (int)(__stop_mine - __start_mine)); return 0; }
