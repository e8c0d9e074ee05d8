"""A database in trouble: told from a mistake, said in words, and not waited for."""
