"""``python -m drizzleflow.audit OUTDIR`` checks files against records (`drizzleflow.provenance.audit`)."""

from drizzleflow.provenance.audit import audit, main, tell

__all__ = ["audit", "main", "tell"]

if __name__ == "__main__":
    raise SystemExit(main())
