"""`make bench-lua`: time and resident memory of Lua programs on stock, on hakmem and on the peers."""
