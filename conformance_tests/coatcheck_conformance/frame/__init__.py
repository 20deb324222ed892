"""What every check stands on."""
