"""Benches: each job against a floor measured in the same run; `python -m tests.bench` (DESIGN.md §9)."""
