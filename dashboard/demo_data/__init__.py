"""An invented company with real list prices: two years of bills and jobs for a demonstration.

`prices` and `company` are facts, `plan`, `jobs`, `bills` and `invoices` say what happens without
touching a database, `write` stores it.
"""
