"""`make bench-arrays`: memory and time of NumPy's arrays, under hakmem and its peers."""
