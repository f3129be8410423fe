"""Which lines and branches of the core the C tests reach: `make coverage`, and the page that names the others."""
