"""What a web service owes to sessions, without a framework and without waiting for anything."""
