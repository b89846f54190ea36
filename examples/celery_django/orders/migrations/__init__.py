"""Of the database."""
