"""`make bench-rss`: resident memory of Python workloads under hakmem and its peers."""
