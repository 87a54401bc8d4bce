"""What both shims tell of a run of stcal's tests: each outcome, and what of ours was called how often.

A shim imports all names of this module: pytest finds the hooks in the plugin. DRIZZLEFLOW_SHIM_REPORT says
where the report goes, as JSON; `OURS` is what the shim says of the modules that it put in place.
"""

import functools
import json
import os
from collections import Counter

CALLS = Counter()
OUTCOMES = {}
OURS = {}  #: name of a module -> its file


def counted(name, function, **defaults):
    """`function` itself, but that its calls are counted."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        CALLS[name] += 1
        return function(*args, **{**defaults, **kwargs})

    return call


def pytest_collectreport(report):
    if report.failed:
        OUTCOMES[report.nodeid] = {"outcome": "failed", "message": str(report.longrepr)[-3000:]}


def pytest_runtest_logreport(report):
    if (
        report.when == "call" or report.outcome != "passed"
    ):  # set-up and tear-down tell only when they do not pass
        message = str(report.longrepr)[-3000:] if report.outcome == "failed" else ""
        OUTCOMES[report.nodeid] = {"outcome": report.outcome, "message": message}


def pytest_sessionfinish(session, exitstatus):
    if "DRIZZLEFLOW_SHIM_REPORT" in os.environ:
        content = {"exit": int(exitstatus), "ours": OURS, "calls": dict(CALLS), "tests": OUTCOMES}
        with open(os.environ["DRIZZLEFLOW_SHIM_REPORT"], "w") as stream:
            json.dump(content, stream, indent=1)
