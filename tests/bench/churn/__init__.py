"""`make bench-churn`: time and memory of programs that build and drop over and over, under hakmem and its peers."""
