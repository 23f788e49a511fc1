"""A release: the command line's wheel, the functions' zips and the runner's image, with checksums."""
