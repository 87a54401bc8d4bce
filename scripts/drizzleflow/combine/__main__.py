"""``python -m drizzleflow.combine`` combines single-drizzled images (`drizzleflow.combine.createmedian`)."""

from drizzleflow.combine.createmedian import main

raise SystemExit(main())
