"""The report of a product: one HTML page made from the records of its jobs."""
