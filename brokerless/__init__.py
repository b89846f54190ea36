"""brokerless: background tasks inside the process that uses them."""
