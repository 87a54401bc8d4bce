"""`stcal.resample.Resample` 1.20.0 and ours with ``variance="reference"`` on the same models.

Run by the *peer's* interpreter with ``scripts`` in PYTHONPATH; both classes use the peer's drizzle.

    python peer_resample.py TABLE.json [FIRST END]

TABLE gets ``drawn``, a row of differences (`resample_compare.compare_case`) for each configuration of
`resample_cases`, and ``apart``, those of `resample_apart`. Nothing is judged here: the limits are in
``test_resample_random.py``.
"""

import json
import logging
import sys
import warnings
from pathlib import Path

from resample_apart import all_apart
from resample_cases import draw
from resample_compare import compare_case


def main(path, first=0, end=200):
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    drawn = [compare_case(draw(number)) for number in range(int(first), int(end))]
    Path(path).write_text(json.dumps({"drawn": drawn, "apart": all_apart()}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
