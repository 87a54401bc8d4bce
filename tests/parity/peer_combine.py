"""drizzlepac's min_med and stsci.image's num_combine on stacks: run by the peer's Python (see
test_combine_random.py).

    python peer_combine.py CASES.npz OUT.npz

CASES.npz: ``cases``, a JSON list, and for each its arrays ``{name}/images``, ``{name}/masks`` and, for
minmed, ``{name}/weights``. OUT.npz: the peer's float32 image of each.
"""

import contextlib
import io
import json
import logging
import sys

import numpy as np
from drizzlepac.minmed import min_med
from stsci.image.numcombine import num_combine


def run(case, arrays):
    images, masks = (
        [plane.copy() for plane in arrays[f"{case['name']}/{key}"]] for key in ("images", "masks")
    )
    if case["combine_type"] == "minmed":
        weights = [plane.copy() for plane in arrays[f"{case['name']}/weights"]]
        return min_med(
            images,
            weights,
            case["readnoise"],
            case["exptime"],
            case["sky"],
            weight_masks=masks,
            combine_grow=case["combine_grow"],
            combine_nsigma1=case["combine_nsigma"][0],
            combine_nsigma2=case["combine_nsigma"][1],
        )
    return num_combine(
        images,
        masks=masks,
        combination_type=case["combine_type"],
        nlow=case["combine_nlow"],
        nhigh=case["combine_nhigh"],
        lower=case["combine_lthresh"],
        upper=case["combine_hthresh"],
    )


def main(source, target):
    logging.disable(logging.CRITICAL)
    made = {}
    with np.load(source) as arrays:
        cases = json.loads(str(arrays["cases"]))
        for case in cases:
            with contextlib.redirect_stdout(io.StringIO()):
                made[case["name"]] = run(case, arrays)
    np.savez(target, **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
