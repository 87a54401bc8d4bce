"""``python -m drizzleflow.simulate``: see `drizzleflow.simulate.exposures`."""

from drizzleflow.simulate.exposures import main

raise SystemExit(main())
