"""How much work Heliox does, beside the limits of the database and beside others: `make bench`."""
