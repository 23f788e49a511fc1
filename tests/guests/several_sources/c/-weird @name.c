int unused_here = 1;
