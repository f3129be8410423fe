"""What the benchmarks share: the peers, a measured child process, statistics, tables, a note of the machine."""
