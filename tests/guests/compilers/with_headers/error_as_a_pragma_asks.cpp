#include <iostream>
#pragma GCC diagnostic error "-Wreturn-type"
int f() { }
int main() { f(); }
