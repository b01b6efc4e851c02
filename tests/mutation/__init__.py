"""Mutation testing of the merge engine: `make mutate`."""
