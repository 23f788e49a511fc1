#include <bits/stdc++.h>
#define NDEBUG
#include <cassert>
int main() { assert(0); }
