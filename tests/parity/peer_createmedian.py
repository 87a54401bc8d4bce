"""Run by drizzlepac's interpreter: AstroDrizzle up to driz_cr on the exposures of the working folder.

``peer_createmedian.py SETS.json {theirs|ours} SCRIPTS`` combines the single-drizzled images with each set of
parameters, to ``{n}_theirs_med.fits`` (drizzlepac's createMedian) and ``{n}_ours_med.fits`` (drizzleflow's,
on the same image objects); the run itself goes on with the median of the one named. What a set ends in, if it
does not make an image, is in ``errors.json``.
"""

import glob
import json
import os
import sys
import time

sets = json.loads(open(sys.argv[1]).read())
sys.path.append(sys.argv[3])

from drizzlepac import astrodrizzle, createMedian  # noqa: E402

from drizzleflow.combine import createmedian  # noqa: E402

STEP = "STEP 4: CREATE MEDIAN IMAGE"
theirs = createMedian.createMedian
errors, seconds = {}, {"theirs": 0.0, "ours": 0.0}


def combine(images, config, procSteps=None):
    outputs = [image.outputNames["outMedian"] for image in images]
    usual = dict(config[STEP])
    for number, parameters in enumerate(sets):
        for who, function in (("theirs", theirs), ("ours", createmedian.createMedian)):
            config[STEP].update({**usual, **parameters})
            for image in images:
                image.outputNames["outMedian"] = f"{number}_{who}_med.fits"
            start = time.perf_counter()
            try:
                function(images, config, procSteps=None)
            except BaseException as error:
                errors[f"{number}_{who}"] = f"{type(error).__name__}: {error}"
            seconds[who] += time.perf_counter() - start
    config[STEP].update(usual)
    for image, name in zip(images, outputs, strict=True):
        image.outputNames["outMedian"] = name
    (theirs if sys.argv[2] == "theirs" else createmedian.createMedian)(images, config, procSteps=procSteps)


createMedian.createMedian = combine
options = {} if os.environ.get("ON_DISK", "1") == "1" else {"in_memory": True}
astrodrizzle.AstroDrizzle(
    sorted(glob.glob("*_flt.fits")), output="final", clean=False, num_cores=1, driz_combine=False, **options
)
with open("errors.json", "w") as out:
    json.dump({"errors": errors, "seconds": seconds}, out)
