"""Programs: the worker as it is started by hand."""
