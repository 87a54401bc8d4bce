"""``python -m drizzleflow.demo FOLDER SNAKEMAKE [FLAVOUR]`` runs the demonstration (`simulate.demo`)."""

from drizzleflow.simulate.demo import demo, main

__all__ = ["demo", "main"]

if __name__ == "__main__":
    raise SystemExit(main())
