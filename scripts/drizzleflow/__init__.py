"""drizzleflow finds cosmic rays in dithered astronomical exposures and combines the exposures.

The library works on arrays and small dataclasses and knows nothing of Snakemake; the rules' scripts in
``scripts/`` call it. docs/design.md says what each package holds and which packages it may import. The
package itself imports nothing, so that a job starts quickly.
"""

__version__ = "0.1.0"
