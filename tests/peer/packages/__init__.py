"""The own tests of packages with much code in C, under `hakmem run --all` and under stock Python."""
