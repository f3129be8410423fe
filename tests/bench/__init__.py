"""Benchmarks of hakmem against its peers: `make bench-rss`, `make bench-speed`, `make bench-trace`."""
