#include <iostream>
#if __INCLUDE_LEVEL__ < 2
#include __FILE__
int x;
#else
int y;
#endif
int main() { }
