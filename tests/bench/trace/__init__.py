"""`make bench-trace`: records the mem and obj requests of a Python program and replays them on the C core."""
