"""What tests share: a PostgreSQL for the session, databases from templates, servers in this process and in their own."""
