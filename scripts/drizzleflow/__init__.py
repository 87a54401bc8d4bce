"""drizzleflow: find cosmic rays in dithered exposures and combine the exposures.

Arrays and small dataclasses; nothing in here knows of Snakemake. The rules' scripts in ``scripts/`` call these modules.
Nothing is imported at package level: a job costs its start.
"""

__version__ = "0.1.0"
