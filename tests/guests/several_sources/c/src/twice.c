#include "util.h"
int twice(int a) { return 2 * a; }
