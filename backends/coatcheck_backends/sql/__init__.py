"""What the SQL backends share: table, statements, rows, migrations, sight of a session's end."""
