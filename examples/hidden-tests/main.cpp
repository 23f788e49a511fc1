#include "grading.h"

int add(int a, int b);  // of student.cpp
double mean(std::vector<double> numbers);

int main() {
    return grading::serve({{"add", grading::function(add)}, {"mean", grading::function(mean)}});
}
