"""`make bench-speed`: time of hot loops, Python programs and the C core under hakmem and its peers."""
