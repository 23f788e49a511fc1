#include <iostream>
int missing();
int found = missing();
