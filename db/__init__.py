"""The database: connections, migrations, the embedded server and the named queries."""
