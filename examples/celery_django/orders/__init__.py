"""Orders: what they are, the tasks about them, their pages."""
