"""One request carried out: a machine without I/O, and the two drivers that perform its effects."""
