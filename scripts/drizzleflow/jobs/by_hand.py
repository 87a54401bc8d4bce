"""A stand-in for the object that Snakemake gives to a rule's script, to run a script in a test or a notebook.

import median  # with the folder scripts/ on the path

inputs = {"singles": paths, "grid": "grid.json"}
given = by_hand("median", input=inputs, output={"median": "m.fits"}, options=settings)
with record.job(given) as job:
    median.main(job)
"""

from __future__ import annotations

import os
from types import SimpleNamespace


class Files(list):
    """The paths of a job's inputs or outputs, as Snakemake gives them: a list with named parts.

    Parameters
    ----------
    named : dict
        name -> path, or list of paths; None stands for no file.
    """

    def __init__(self, named: dict):
        super().__init__()
        self._named = {}
        for name, value in named.items():
            paths = [] if value is None else [value] if isinstance(value, (str, os.PathLike)) else list(value)
            paths = [os.fspath(path) for path in paths]
            self._named[name] = paths[0] if isinstance(value, (str, os.PathLike)) else paths
            self.extend(paths)

    def __getattr__(self, name):
        try:
            return self.__dict__["_named"][name]
        except KeyError:
            raise AttributeError(name) from None

    def get(self, name, default=None):
        return self._named.get(name, default)

    def keys(self):
        return self._named.keys()

    def items(self):
        return self._named.items()


def by_hand(rule: str, *, input: dict, output: dict, options=None, wildcards=None, log=None, code=None):
    """A stand-in for the object that Snakemake gives to a rule's script; see `drizzleflow.jobs.record.job`.

    Parameters
    ----------
    rule : str
        The name of the rule; messages begin with it.
    input, output : dict
        name -> path or list of paths, as the rule names them. Without an output ``record`` no record is
        written.
    options : dict, optional
        The job's options, section by section.
    wildcards : dict, optional
        name -> value.
    log : path, optional
        Where the log is written; by default nowhere.
    code : str, optional
        The hash of the rule's code, for the PROV* keywords.
    """
    return SimpleNamespace(
        rule=rule,
        input=Files(input),
        output=Files(output),
        params=SimpleNamespace(opts=options or {}, code=code),
        wildcards=SimpleNamespace(**(wildcards or {})),
        log=[os.fspath(log)] if log else [],
        resources=SimpleNamespace(),
    )
