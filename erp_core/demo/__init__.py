"""Demo data: a cotton trading house of three branches in the season 2026-27, made from a seed."""
