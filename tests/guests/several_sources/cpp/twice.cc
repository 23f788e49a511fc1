#include "util.hpp"
int twice(int a) { return half(4 * a); }
