"""``python -m drizzleflow.combine``: see `drizzleflow.combine.createmedian`."""

from drizzleflow.combine.createmedian import main

raise SystemExit(main())
