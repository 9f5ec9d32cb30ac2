"""Several strategies' decisions on one symbol made one."""
