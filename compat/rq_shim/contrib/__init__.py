"""Empty, as in RQ 2 and 3."""
