"""Numbers: `published/` (transcribed, with provenance), `mini/` (regenerated, committed), `runs/` (yours)."""
