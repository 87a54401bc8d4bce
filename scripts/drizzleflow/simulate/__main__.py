"""``python -m drizzleflow.simulate``: see `drizzleflow.simulate.command`."""

from drizzleflow.simulate.command import main

raise SystemExit(main())
