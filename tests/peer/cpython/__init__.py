"""CPython's own test suite under hakmem and under stock Python, compared test by test."""
