"""Files: FITS and ASDF as bytes, tables, and outputs that are written whole or not at all.

Start at `fits` (read and write images), `tables` (the CSV files that jobs hand on) and `files` (replace a file in one step).
"""
