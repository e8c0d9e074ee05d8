"""Django's PostgreSQL for a database without a pool: the read replica."""
