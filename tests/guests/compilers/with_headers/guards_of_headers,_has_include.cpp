#include <iostream>
#ifdef _GLIBCXX_VECTOR
#error vector
#endif
#ifdef _GLIBCXX_ALGORITHM
#error algorithm
#endif
#ifndef _GLIBCXX_IOSTREAM
#error iostream
#endif
#if __has_include(<streams.h>) || __has_include("streams.h")
#error there
#endif
int main() { std::cout << "ok\n"; }
