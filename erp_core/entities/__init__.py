"""One file per entity of the trade; each declares it once, in the trade's words (language: `erp_core/language.py`)."""
