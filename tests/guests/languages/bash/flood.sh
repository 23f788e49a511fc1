echo before
yes y | tr -d '\n'