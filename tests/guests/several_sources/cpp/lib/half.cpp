#include "util.hpp"
int half(int a) { return a / 2; }
