"""Operation: the embedded PostgreSQL, the processes of the server, migrations, seeding, and the doctor."""
