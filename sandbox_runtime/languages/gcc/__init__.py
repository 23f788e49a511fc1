"""GCC called directly, for C and C++."""
