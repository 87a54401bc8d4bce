"""``python -m drizzleflow.simulate`` simulates exposures (`drizzleflow.simulate.exposures`)."""

from drizzleflow.simulate.exposures import main

raise SystemExit(main())
