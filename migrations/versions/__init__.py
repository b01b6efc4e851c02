"""The migrations themselves, one file each, frozen once released (docs/MIGRATIONS.md)."""
