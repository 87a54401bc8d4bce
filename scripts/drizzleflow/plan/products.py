"""Make the plan of a run: its products and their files, read once when the Snakefile is parsed.

Headers (primary headers mostly, 2-3 ms a file) are cached by path, size and modification time, so that the
many Snakemake processes of a cluster run read only the cache. A wrong association becomes a `Product` with an
`error`, so that the run's other products finish; only a wrong configuration raises.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from drizzleflow.errors import InputError, harmless
from drizzleflow.frames.groups import group_of
from drizzleflow.io.lists import read_sky_masks
from drizzleflow.plan import association, config, files, folder, mixtures
from drizzleflow.plan.cache import Cache
from drizzleflow.plan.product import Member, Product
from drizzleflow.plan.roads import ROADS, imaging

MEMBER = frozenset(Member.__dataclass_fields__)


@dataclass
class Plan:
    """Hold all products of a run, by name, and the cache with which the plan was made."""

    products: dict[str, Product]
    cache: Cache

    @property
    def good(self) -> dict[str, Product]:
        """The products without an error."""
        return {name: product for name, product in self.products.items() if product.error is None}

    @property
    def told(self) -> list[str]:
        """What is told at the start of a run: settings without effect, files left out, doubts, single exposures."""
        good = self.good.items()
        lines = [f"configuration: {note}" for _, product in good for note in product.notes]
        lines += [line for product in self.products.values() for line in product.left_out]
        lines += [f"{name}: {doubt.text}" for name, product in good for doubt in product.doubts]
        lines += [
            f"{name}: fewer than two groups of exposures: nothing can be compared, and no outlier is flagged"
            for name, product in good
            if "blot" in product.methods and len(product.stack) < 2
        ]
        return list(dict.fromkeys(map(harmless, lines)))


def build(settings: dict, cache_path, main_process: bool = True) -> Plan:
    """Make the plan of a run.

    Parameters
    ----------
    settings : dict
        From `drizzleflow.config.resolve`.
    cache_path : path or None
        A JSON file, made where it is missing; None keeps nothing.
    main_process : bool
        False in the processes that Snakemake starts for jobs: a file that the cache knows is not looked at
        (it may be changing, and the run must not change its mind), and the cache is not written.

    A wrong association or file raises nothing: it becomes the `Product.error` of the products concerned.
    """
    cache = Cache(cache_path)
    known = files.Formats(cache.formats)
    listed = settings["associations"]
    found: list[association.Association | Product] = []
    for source in [listed] if isinstance(listed, str) else listed:
        try:
            if folder.is_listing(source):
                found += _of_folder(source, settings, cache, known, main_process)
                continue
            found += association.read(
                source, lambda path, about, read: cache.lookup(path, about, read)[0], known.suffixes
            )
        except InputError as error:
            stem = os.path.splitext(os.path.basename(source.rstrip("/")))[0]
            found.append(Product(stem, source, error=str(error)))
    products = {}
    for name, entries in _by_name(found).items():
        if len(entries) > 1:
            sources = [entry.source for entry in entries]
            listed = ", ".join(sources)
            message = f"{name}: the product's name is used {len(entries)} times ({listed}), expected once"
            product = Product(name, sources[0], error=message)
        elif isinstance(entries[0], Product):
            product = entries[0]
        else:
            try:
                product = _product(entries[0], settings, cache, known, main_process)
            except InputError as error:
                product = Product(name, entries[0].source, error=str(error), asn_id=entries[0].asn_id)
                product.left_out = entries[0].left_out
        product.name = _unique(association.safe_name(name), products)
        product.error = product.error and " ".join(product.error.split())
        product.options = product.options or config.for_product(settings)
        products[product.name] = product
    if main_process and not cache.replaced:  # whoever acts on that saves it then
        cache.save()
    return Plan(products, cache)


def _of_folder(source, settings, cache, known, main_process) -> list[association.Association]:
    """Return the products of a folder or a pattern; every process of a run sees the files that it began with."""
    about, trust = files.about(settings), not main_process
    out = os.path.join(os.path.abspath(settings["outdir"]), "")
    paths = cache.listing(source, folder.listing, main_process)
    if not os.path.abspath(source).startswith(out):  # a pattern with ** meets what an earlier run made
        paths = [path for path in paths if not os.path.abspath(path).startswith(out)]

    def read(path):
        return files.describe(path, settings)

    def refusal(path):
        """Return why a file is no exposure, or nothing."""
        try:
            _look(cache, path, about, read, trust)
        except InputError as error:
            return str(error)
        return ""

    def describe(path):
        # kept too: a file that is mended while the run goes on must not become a member in its jobs alone
        refused = _look(cache, path, f"{about} refused", refusal, trust)[0]
        if refused:
            raise InputError(refused)
        return _look(cache, path, about, read, trust)[0]

    return folder.read(source, paths, describe, known.suffixes, known, settings["mode"])


def _by_name(found) -> dict[str, list]:
    entries = {}
    for entry in found:
        entries.setdefault(entry.name, []).append(entry)
    # names that are good as they are come first, so that a mended name never takes one of theirs
    good = {name: entry for name, entry in entries.items() if association.safe_name(name) == name}
    return {**good, **entries}


def _unique(name, taken) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _product(table: association.Association, settings, cache, known, main_process) -> Product:
    about = files.about(settings)
    if main_process or not table.science or not all(cache.knows(m["path"], about) for m in table.science):
        association.check(table)
    read = [_member(table, entry, settings, about, cache, trust=not main_process) for entry in table.science]
    members = [member for member, _ in read]
    formats = {member.format: member.path for member in members}
    if len(formats) > 1:
        listed = ", ".join(f"{name}: {path}" for name, path in formats.items())
        raise InputError(
            f"{table.source}: product {table.name}: members of several formats ({listed}), expected one"
        )
    where = f"{table.source}: product {table.name}"
    first = members[0]
    declared = known[first.format]
    mixtures.refuse(where, members, declared.takes_companions)
    for entry in table.science if not declared.takes_companions else ():
        extra = [key for key in ("dq", "ivar", "flux_scale") if key in entry]
        if extra:
            raise InputError(
                f"{where}: member {entry['member']}: {extra[0]} is for "
                f"{known.titles(lambda one: one.takes_companions)} files, expected none with {first.format} "
                "files"
            )
    which = first.instrument, first.exp_type, first.filter
    options = config.for_product(settings, *which)
    for section, key in (("inputs", "resetbits"), ("crmask", "crbit")) if not declared.takes_bits else ():
        if options[section][key] != "auto":
            raise InputError(
                f"{where}: {section}.{key} is {options[section][key]}, which is for "
                f"{known.titles(lambda one: one.takes_bits)} files; expected auto with {first.format} files"
            )
    if options["skymatch"]["skymethod"] == "auto":
        options["skymatch"]["skymethod"] = declared.skymethod
    product = Product(
        table.name,
        table.source,
        _road(table, members, declared.roads, settings["mode"]),
        members=members,
        others=[Member(**member) for member in table.members if member["exptype"] != "science"],
        options=options,
        asn_id=table.asn_id,
        format=declared,
        methods=tuple(settings["outlier_method"]),
        keeps=settings["save_intermediate_results"],
        batch_size=settings["batch_size"],
        notes=config.without_effect(settings, *which),
        left_out=table.left_out + _unused(read),
        doubts=mixtures.doubts(members, options["checks"], declared.takes_companions),
    )
    odd = next((told["odd_variances"] for _, told in read if told["odd_variances"]), None)
    if odd and settings["inputs"]["variances"] == "error":
        raise InputError(f"{where}: {odd} (inputs.variances: ignore uses ERR in their place)")
    product.groups = _groups(table, members)
    _expect_errors(table, product)
    if options["skymatch"]["masks"]:
        product.sky_masks = read_sky_masks(options["skymatch"]["masks"], [m.member for m in members])
    return product


def _member(table, entry, settings, about, cache, trust) -> tuple[Member, dict]:
    """Return a member, and the description of its file."""
    path = entry["path"]
    try:
        described, size = _look(cache, path, about, lambda p: files.describe(p, settings), trust)
        for beside in (entry.get("dq") or described.get("dq"), entry.get("ivar")):
            if beside:
                _look(cache, beside, "layout", files.expect_whole, trust)
    except InputError as error:
        raise InputError(f"{table.source}: product {table.name}: {error}") from None
    given = {key: entry[key] for key in ("group", "dq", "ivar", "flux_scale") if entry.get(key)}
    known = {
        "format": described["format"],
        "group": entry["member"],
        **{key: value for key, value in described.items() if value is not None and key in MEMBER},
        **given,
        "odd_variances": bool(described["odd_variances"]),
    }
    known["err"] = known["err"] or "ivar" in given
    return Member(member=entry["member"], path=path, exptype=entry["exptype"], size=size, **known), described


def _unused(read) -> list[str]:
    """Return a line on the first member with further images that nobody asked for."""
    for member, described in read:
        if described["unused"]:
            return [
                f"{member.path}: only the first image is used, not {folder.first_of(described['unused'])}; if these "
                'are detectors too, simple.sci: "*" takes all'
            ]
    return []


def _look(cache, path, about, make, trust) -> tuple:
    """Call `Cache.lookup`; every failure is an `InputError`."""
    try:
        return cache.lookup(path, about, make, trust)
    except InputError:
        raise
    except Exception as error:  # astropy raises many kinds for a broken file
        raise InputError(f"{path}: not a readable FITS image ({type(error).__name__}: {error})") from None


def _expect_errors(table, product) -> None:
    """Refuse members without uncertainties where they are needed, before anything is made."""
    options = product.options
    modelled = options["crmask"]["noise"] == "model" and (product.resampled or product.against_others)
    weighed = [name for name in ("single_drizzle", "mosaic") if options[name]["weight_type"] == "err"]
    advice = "set simple.noise: measured, which measures it in the image, or outlier_method: none"
    advice = f"choose another {weighed[0]}.weight_type" if weighed else advice
    if weighed or (imaging.compares(product) and not modelled):
        for member in product.members:
            if not member.err:
                raise InputError(
                    f"{table.source}: product {table.name}: {member.path}: no error plane, expected ERR or "
                    f"an inverse variance (without one, {advice})"
                )


def _road(table, members, declared, mode) -> str:
    """Return the road of the members by their exposure types; `declared`: their format's `ROADS`."""
    if mode == "imaging":
        return mode
    roads = {}
    for member in members:
        road = "imaging" if declared is None else declared.get(member.exp_type.upper(), "")
        roads.setdefault(road, member)
    where = f"{table.source}: product {table.name}"
    hint = "set mode: imaging to treat every image as an exposure of its own"
    if "" in roads:
        found = roads[""].exp_type or "no EXP_TYPE"
        raise InputError(f"{where}: {roads[''].path}: no road for exposure type {found}; {hint}")
    if len(roads) > 1:
        listed = ", ".join(f"{member.exp_type} ({member.member})" for member in roads.values())
        raise InputError(f"{where}: exposure types of several roads: {listed}, expected one road")
    ((road, member),) = roads.items()
    if road not in ROADS:
        raise InputError(f"{where}: {member.exp_type}: the {road} road is not built yet; {hint}")
    return road


def _groups(table, members) -> dict:
    groups = {}
    for member in members:
        own = {}
        for extver in range(1, member.nframes + 1):
            own.setdefault(group_of(member.asdict(), extver), []).append(extver)
        for group, extvers in own.items():
            groups.setdefault(group, []).append((member.member, extvers))
    for name in groups:
        if not association.SAFE_NAME.fullmatch(name):
            file = next(member.path for member in members if name.startswith(member.group))
            raise InputError(
                f"{table.source}: product {table.name}: {file}: group {name!r} cannot be a file name"
            )
    return groups
