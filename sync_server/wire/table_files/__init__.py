"""Tables as files: CSV, NDJSON and XLSX, a row a record, out and in."""
