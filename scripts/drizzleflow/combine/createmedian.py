"""Combine single-drizzled images into one file, as `drizzlepac.createMedian` does.

`median` is the function for users, `createMedian` the step as AstroDrizzle calls it, and ``python -m
drizzleflow.combine`` the command. `drizzleflow.combine.stack.median_image` combines the pixels.
"""

from __future__ import annotations

import argparse
import inspect
import logging
import math
import os
import re
import sys
import textwrap

import numpy as np

from drizzleflow import __version__
from drizzleflow.combine.createmedian_config import (
    KEYWORDS,
    PARAMETERS,
    PER_IMAGE,
    is_median_section,
    parameters_of,
    resolve,
)
from drizzleflow.combine.drizzle_singles import (
    DrizzledSingle,
    MemoryPlane,
    Plane,
    single_of,
)
from drizzleflow.combine.exposure_noise import Overrides
from drizzleflow.combine.median_product import hdulist, product, write
from drizzleflow.combine.named_images import find
from drizzleflow.combine.one_grid import check_grid
from drizzleflow.combine.stack import median_image
from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.windowed import union

logger = logging.getLogger("drizzleflow.combine.createmedian")
#: values of combine_type that use the weights themselves, not only the mask of pixels of low weight
_WEIGHTED = ("minmed", "iminmed")


def median(input=None, configObj=None, editpars=False, **inputDict):
    """Combine single-drizzled images into a median image, ``<output>_med.fits``.

    Parameters
    ----------
    input : str or list of str
        Exposures, beside which ``<root>_single_sci.fits`` and ``<root>_single_wht.fits`` lie, or these images
        themselves: a name, a list, a wildcard such as ``'*flt.fits'``, an ``@file`` with one name a line, or
        an ``_asn.fits`` table. By default the input that `configObj` names.
    configObj : None, dict or path
        Parameters, with or without AstroDrizzle's sections, or a ``.cfg`` file with them.
    editpars : bool
        True is refused: drizzleflow has no window for editing parameters.
    **inputDict
        Parameters, which take precedence over `configObj`; `getHelpAsString()` explains each.

    Returns
    -------
    str or None
        The name of the written file; None with ``median=False``.

    Raises
    ------
    InputError
        A parameter, a file or a keyword is missing or wrong; nothing is written then.

    Source: the documents and behaviour of `drizzlepac.createMedian` 3.11.
    """
    if editpars:
        raise InputError(
            "editpars: there is no window here; edit a .cfg file and give it as configObj, or give keywords"
        )
    settings, configured = resolve(configObj, inputDict)
    parameters = parameters_of(settings)
    if not settings["median"]:
        logger.info("median is no: no median image is made")
        return None
    given = configured if input is None else input
    blank = isinstance(given, str) and not given.strip()
    if given is None or blank or (isinstance(given, (list, tuple)) and not given):
        raise InputError("input: no images, expected a name, a list, a wildcard, @list or an _asn.fits table")
    images, name = find(given)
    path = output_name(settings["output"] or name)
    for image in images:
        for used in (image.sci, image.wht, image.exposure):
            if used and os.path.realpath(used) == os.path.realpath(path):
                raise InputError(f"{path}: the output is one of the inputs, expected another name")
    weighted = parameters.combine_type in _WEIGHTED
    singles, header = [], None
    for image, user in zip(images, _overrides(settings, len(images)), strict=True):
        single, cards = image.open(user, parameters.median_newmasks or weighted, weighted)
        singles.append(single)
        header = cards if header is None else header
    combined, window = _combine(singles, parameters, settings["fillval"])
    write(path, product(path, header, combined, singles, window, parameters))
    logger.info("%s: %s of %d images", path, parameters.combine_type, len(singles))
    return path


def createMedian(imgObjList, configObj, procSteps=None):
    """Combine single-drizzled images, called as AstroDrizzle calls its step.

    Parameters
    ----------
    imgObjList : list
        drizzlepac's image objects, one for each exposure, or objects with these attributes: ``outputNames``
        (``outSingle``, ``outSWeight``, ``outMedian``), ``_image['sci', 1]._exptime``, and
        ``returnAllChips(extname=scienceExt)``, whose chips have ``_rdnoise`` (electrons), ``subtractedSky``
        and ``_conversionFactor`` (electrons for one unit of the sky). With ``inmemory`` the images are HDU
        lists in ``virtualOutputs``.
    configObj : dict
        AstroDrizzle's configuration, with its sections.
    procSteps : object, optional
        Its methods ``addStep`` and ``endStep`` are called when the step begins and ends.

    Raises
    ------
    InputError
        An image, a weight image or a value is missing or wrong.
    """
    settings, _ = resolve(_step_only(configObj), within=True)
    parameters = parameters_of(settings)
    if procSteps is not None:
        procSteps.addStep("Create Median")
    if not settings["median"]:
        logger.info("median is no: no median image is made")
    elif not imgObjList:
        raise InputError("createMedian: no images, expected at least one")
    else:
        weighted = parameters.combine_type in _WEIGHTED
        opened = [_of_object(image, parameters.median_newmasks or weighted, weighted) for image in imgObjList]
        singles = [single for single, _ in opened]
        combined, window = _combine(singles, parameters, settings["fillval"])
        path = imgObjList[0].outputNames["outMedian"]
        hdus = product(path, opened[0][1], combined, singles, window, parameters)
        if getattr(imgObjList[0], "inmemory", False):
            for image in imgObjList:
                image.virtualOutputs[path] = hdulist(hdus)
        else:
            write(path, hdus)
        logger.info("%s: %s of %d images", path, parameters.combine_type, len(singles))
    if procSteps is not None:
        procSteps.endStep("Create Median")


def output_name(output: str) -> str:
    """The name of the product, ``<output>_med.fits``; an ending .fits, _drz, _drc or _med is dropped."""
    root = re.sub(r"(_dr[zc]|_med)$", "", re.sub(r"\.fits?$", "", os.fspath(output)))
    if not os.path.basename(root):
        raise InputError(f"output is {output!r}, expected the root of a file's name")
    return f"{root}_med.fits"


# --- shared by both functions ------------------------------------------------------------------------------


def _overrides(settings, n):
    """Return the user's own values for each of `n` images, a list of `Overrides`."""
    rows = []
    for key in PER_IMAGE:
        values = settings[key]
        if values is not None and len(values) not in (1, n):
            raise InputError(f"{key}: {len(values)} values for {n} images, expected one, or one an image")
        rows.append([None] * n if values is None else values * n if len(values) == 1 else values)
    words = {key: settings[key] for key in KEYWORDS}
    return [Overrides(**dict(zip(PER_IMAGE, row, strict=True)), **words) for row in zip(*rows, strict=True)]


def _combine(singles: list[DrizzledSingle], parameters, fillval: float):
    """Check and combine the images; return (Combined, window). Warnings go to the log."""
    check_grid(singles)
    parameters.check_depth(len(singles))  # before a pixel is read
    if parameters.median_newmasks:
        for single in singles:
            if math.isnan(single.mean_weight):
                logger.warning("%s: no pixel has a weight, the image does not count", single.path)
    window = union(singles)
    combined = median_image(singles, window, parameters)
    for line in combined.notes:
        logger.warning("%s", line)
    combined.sci[np.isnan(combined.sci) & (combined.nused == 0)] = fillval
    return combined, window


def _of_object(image, weights: bool, noise: bool):
    """Return (DrizzledSingle, header) of one of drizzlepac's image objects."""
    sci, header = _plane_of(image, "outSingle")
    try:
        wht, _ = _plane_of(image, "outSWeight")
    except InputError:
        if weights:
            raise
        wht = None
    try:
        seconds = image._image["sci", 1]._exptime
    except (AttributeError, KeyError, TypeError):
        seconds = getattr(image, "_exptime", None)
    chips = image.returnAllChips(extname=image.scienceExt)
    known = seconds is not None and bool(chips) and all(chip._rdnoise is not None for chip in chips)
    if not known:
        if noise:
            raise InputError(
                f"{sci.path}: exposure time or read noise is not known; give them with exptime and rdnoise"
            )
        return single_of(sci, wht, header, Noise(seconds, None, None, None)), header
    if noise and not seconds > 0:
        raise InputError(
            f"{sci.path}: the exposure time is {seconds:g} s, expected more than 0: leave the image out"
        )
    readnoise = math.sqrt(sum(float(chip._rdnoise) ** 2 for chip in chips) / len(chips))
    sky = min(float(chip.subtractedSky or 0.0) * float(chip._conversionFactor) for chip in chips)
    return single_of(sci, wht, header, Noise(float(seconds), readnoise, sky, 1.0)), header


def _plane_of(image, key):
    name = image.outputNames[key]
    hdus = getattr(image, "virtualOutputs", {}).get(name) if getattr(image, "inmemory", False) else None
    if hdus is None:
        return Plane.open(name)
    hdu = next((hdu for hdu in hdus if hdu.data is not None), None)
    if hdu is None:
        raise InputError(f"{name}: no image in memory, expected a single-drizzled image")
    return MemoryPlane(name, hdu.data), hdu.header.copy()


def _step_only(config) -> dict:
    """Return the median step's parameters in AstroDrizzle's configuration; image objects hold all else."""
    mine = {}
    for key, value in config.items():
        if hasattr(value, "items") and is_median_section(key):
            mine.update(
                {name: inner for name, inner in value.items() if name in PARAMETERS and PARAMETERS[name].step}
            )
        elif key in PARAMETERS and PARAMETERS[key].step:
            mine[key] = value
    return mine


# --- help and the command ---------------------------------------------------------------------------------


def getHelpAsString(docstring=False, show_ver=True):
    """Return a text that explains createMedian and each of its parameters, with defaults and units.

    Parameters
    ----------
    docstring : bool
        True: the text begins with how to call `median` from Python; False: with the command.
    show_ver : bool
        Whether the first line states the version.
    """
    title = f"createMedian (drizzleflow {__version__})" if show_ver else "createMedian"
    if docstring:
        usage = f"median{inspect.signature(median)}\n\n{inspect.getdoc(median)}"
    else:
        usage = (
            "python -m drizzleflow.combine [INPUT ...] [--config FILE.cfg] [--output ROOT] "
            "[--PARAMETER VALUE ...]\n"
            "from drizzleflow.combine import median; "
            "median('*flt.fits', combine_type='median', combine_nhigh=1)"
        )
    blocks = [title, usage, _ABOUT]
    for heading, step in (("Parameters", True), ("What is made of which images", False)):
        lines = [heading, "-" * len(heading)]
        for p in PARAMETERS.values():
            if p.step == step:
                default = (
                    "" if p.default is None else f" (default: {'yes' if p.default is True else p.default})"
                )
                lines += [
                    f"{p.name} : {p.kind}{default}",
                    textwrap.indent(textwrap.fill(p.text, 100), "    "),
                ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def help(file=None):
    """Print the text of `getHelpAsString`, or write it to `file` in place of an old one."""
    text = getHelpAsString(docstring=True)
    if file is None:
        print(text)
        return
    from drizzleflow.io.files import write_text

    if os.path.lexists(file):
        if os.path.isdir(file):
            raise InputError(f"{file}: a folder, expected the name of a file")
        os.unlink(file)
    write_text(file, text)


_ABOUT = """\
Combines single-drizzled images into one, <output>_med.fits: an estimate of the field without cosmic rays,
with which each exposure is then compared. INPUT are exposures (j8xi0xabq_flt.fits) whose
j8xi0xabq_single_sci.fits and j8xi0xabq_single_wht.fits are beside them, or the single images themselves:
names, wildcards ('*flt.fits'), @list (one name a line) or an _asn.fits table. Exposure time, read noise
and sky, which minmed needs, come from the exposures, else from the single images' headers, else from you.
The output has the image (PRIMARY) and NUSED, the number of images that each pixel is made of; with auto
also ERR."""


def main(argv=None) -> int:
    """Run the command ``python -m drizzleflow.combine``; return 0, or 1 after a line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m drizzleflow.combine",
        description=_ABOUT,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "input", nargs="*", metavar="INPUT", help="exposures, single images, '*wildcard', @list, _asn.fits"
    )
    parser.add_argument(
        "--config",
        metavar="FILE.cfg",
        help="parameters in a file; options go before. drizzlepac's .cfg files will do",
    )
    parser.add_argument("--version", action="version", version=f"drizzleflow {__version__}")
    for p in PARAMETERS.values():
        default = "" if p.default is None else f" Default: {'yes' if p.default is True else p.default}."
        parser.add_argument(
            f"--{p.name}",
            metavar="VALUE",
            default=None,
            help=f"[{p.kind}] {p.text}{default}".replace("%", "%%"),
        )
    options = vars(parser.parse_args(argv))
    images, config = options.pop("input"), options.pop("config")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        path = median(
            images or None,
            configObj=config,
            **{key: value for key, value in options.items() if value is not None},
        )
    except InputError as error:
        print(f"createMedian: {error}", file=sys.stderr)
        return 1
    if path:
        print(path)
    return 0
