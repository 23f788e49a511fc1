const char *s = R"(
#include <iostream>
)";
#include <cstdio>
int main() { puts(s); }
