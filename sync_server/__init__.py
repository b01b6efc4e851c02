"""Cotton Sync's server: the one package that awaits. DESIGN: ARCHITECTURE.md; floors: setup.cfg."""
