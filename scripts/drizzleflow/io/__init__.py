"""Files: FITS, ASDF and tables, and outputs that are written whole or not at all.

Start at `fits` (images), `tables` (the CSV files that one job writes and another reads) and `files` (a file
replaced in one step).
"""
