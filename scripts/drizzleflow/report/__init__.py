"""Make the report of a product: one HTML page from the records of its jobs."""
