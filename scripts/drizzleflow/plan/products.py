"""The plan: what a run makes of which files, looked up once when the Snakefile is parsed.

Headers (primary headers mostly, 2-3 ms a file) are cached by path, size and modification time, so that the
many Snakemake processes of a cluster run read only the cache. A wrong association becomes a `Product` with an
`error`, so that the run's other products finish; only a wrong configuration raises.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field

from drizzleflow.errors import InputError
from drizzleflow.plan import association, config
from drizzleflow.plan.cache import Cache

#: exposure types of JWST and Roman and the road that they take (the lists of the pipelines' outlier_detection steps)
ROADS = {
    "WFI_IMAGE": "imaging",
    **dict.fromkeys(("NRC_IMAGE", "MIR_IMAGE", "NRS_IMAGE", "NIS_IMAGE", "FGS_IMAGE"), "imaging"),
    **dict.fromkeys(("NRC_CORON", "MIR_LYOT", "MIR_4QPM"), "coron"),
    **dict.fromkeys(("NRS_IFU", "MIR_MRS"), "ifu"),
    **dict.fromkeys(("NIS_SOSS", "MIR_LRS-SLITLESS", "NRC_TSGRISM", "NRS_BRIGHTOBJ", "NRC_TSIMAGE"), "tso"),
}
BUILT = ("imaging",)
_DESCRIBED = "group nframes cube nx ny instrument detector exp_type filter exptime err".split()


@dataclass(frozen=True)
class Member:
    """One file of a product, in plain types that a rule may carry as a parameter."""

    member: str  #: safe name, unique in the product
    path: str  #: absolute, or relative to the working folder
    exptype: str  #: lower case: science, psf, background ...
    group: str = ""  #: members of one exposure share it
    format: str = ""  #: name of the `drizzleflow.formats` module
    nframes: int = 0  #: SCI extensions, or integrations of a cube
    cube: bool = False
    nx: int = 0
    ny: int = 0
    instrument: str = ""
    detector: str = ""
    exp_type: str = ""
    filter: str = ""
    exptime: float | None = None  #: s
    err: bool = False  #: whether every frame has its uncertainty
    size: int = 0  #: bytes of the file
    dq: str | None = None  #: a file beside it
    ivar: str | None = None
    flux_scale: float | None = None  #: the data are multiplied by it

    def asdict(self) -> dict:
        return asdict(self)


@dataclass
class Product:
    """One mosaic: its members, the groups they form and the settings that hold for it."""

    name: str
    source: str
    road: str = "imaging"
    error: str | None = None  #: why it cannot be made, one line
    members: list[Member] = field(default_factory=list)  #: science
    others: list[Member] = field(default_factory=list)  #: another exptype; never opened
    options: dict = field(default_factory=dict)  #: {section: {key: value}}
    asn_id: str = ""
    #: group -> [(member, [extver, ...]), ...], in order of first appearance
    groups: dict[str, list[tuple[str, list[int]]]] = field(default_factory=dict)
    batches: dict[str, list[str]] = field(default_factory=dict)  #: batch -> member names

    def __post_init__(self):
        self._by_name = {member.member: member for member in self.members}

    def member(self, name: str) -> Member:
        return self._by_name[name]


@dataclass
class Plan:
    """All products of a run, by name, and the cache that the plan was made with."""

    products: dict[str, Product]
    cache: Cache

    @property
    def good(self) -> dict[str, Product]:
        """The products without an error."""
        return {name: product for name, product in self.products.items() if product.error is None}


def build(settings: dict, cache_path, main_process: bool = True) -> Plan:
    """The plan of a run.

    Parameters
    ----------
    settings : dict
        From `drizzleflow.config.resolve`.
    cache_path : path or None
        A JSON file, made where it is missing; None keeps nothing.
    main_process : bool
        False in the processes that Snakemake starts for jobs: a file that the cache knows is not looked at
        (it may be changing, and the run must not change its mind), and the cache is not written.

    Nothing that an association or a file holds raises: it is the `Product.error` of the products it concerns.
    """
    cache = Cache(cache_path)
    listed = settings["associations"]
    found: list[association.Association | Product] = []
    for source in [listed] if isinstance(listed, str) else listed:
        try:
            found += association.read(source, lambda path, about, read: cache.lookup(path, about, read)[0])
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
                product = _product(entries[0], settings, cache, main_process)
            except InputError as error:
                product = Product(name, entries[0].source, error=str(error), asn_id=entries[0].asn_id)
        product.name = _unique(association.safe_name(name), products)
        product.error = product.error and " ".join(product.error.split())
        product.options = product.options or config.for_product(settings)
        products[product.name] = product
    if main_process and not cache.replaced:  # whoever acts on that saves it then
        cache.save()
    return Plan(products, cache)


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


def _product(table: association.Association, settings, cache, main_process) -> Product:
    about = _about(settings)
    if main_process or not table.science or not all(cache.knows(m["path"], about) for m in table.science):
        association.check(table)
    members = [
        _member(table, entry, settings, about, cache, trust=not main_process) for entry in table.science
    ]
    formats = {member.format: member.path for member in members}
    if len(formats) > 1:
        listed = ", ".join(f"{name}: {path}" for name, path in formats.items())
        raise InputError(
            f"{table.source}: product {table.name}: members of several formats ({listed}), expected one"
        )
    first = members[0]
    for member in members:
        extra = [key for key in ("dq", "ivar", "flux_scale") if getattr(member, key) is not None]
        if extra and member.format != "simple":
            raise InputError(
                f"{table.source}: product {table.name}: member {member.member}: {extra[0]} is for plain FITS "
                f"files, expected none with {member.format} files"
            )
    options = config.for_product(settings, first.instrument, first.exp_type, first.filter)
    product = Product(
        table.name,
        table.source,
        _road(table, members, settings["mode"]),
        members=members,
        others=[Member(**member) for member in table.members if member["exptype"] != "science"],
        options=options,
        asn_id=table.asn_id,
    )
    product.groups = _groups(table, members)
    _expect_errors(table, product, settings)
    product.batches = _batches(members, settings["batch_size"])
    return product


def _about(settings) -> str:
    """What the description of a file depends on besides the file."""
    return hashlib.sha256(json.dumps(settings["simple"], sort_keys=True).encode()).hexdigest()[:12]


def _member(table, entry, settings, about, cache, trust) -> Member:
    path = entry["path"]
    try:
        described, size = cache.lookup(path, about, lambda p: _describe(p, settings), trust)
        for key in ("dq", "ivar"):
            if key in entry:
                cache.lookup(entry[key], "layout", _expect_whole, trust)
    except InputError as error:
        raise InputError(f"{table.source}: product {table.name}: {error}") from None
    except Exception as error:  # astropy raises many kinds for a broken file
        raise InputError(
            f"{table.source}: product {table.name}: {path}: not a readable FITS image "
            f"({type(error).__name__}: {error})"
        ) from None
    described = {**described, "err": described.get("err") or "ivar" in entry}
    known = {key: described.get(key) for key in ("format", *_DESCRIBED)}
    known["group"] = entry.get("group") or known["group"] or entry["member"]
    more = {key: entry[key] for key in ("dq", "ivar", "flux_scale") if key in entry}
    return Member(member=entry["member"], path=path, exptype=entry["exptype"], size=size, **known, **more)


def _describe(path, settings) -> dict:
    from drizzleflow import formats

    _expect_whole(path)
    header = formats.header(path)
    name = formats.detect(header)
    described = formats.get(name).describe(path, header, settings["simple"])
    return {"format": name, **{key: described.get(key) for key in _DESCRIBED}}


def _expect_whole(path) -> None:
    """Refuse a FITS file that does not hold what its headers describe, before astropy sees it: of gzipped ones it may never end."""
    from drizzleflow import formats
    from drizzleflow.io import fits_layout

    if not formats.is_asdf(path):
        fits_layout.units(path)


def _expect_errors(table, product, settings) -> None:
    """Outliers are found by comparing with each pixel's uncertainty: better told now than after the median."""
    options, resampled = product.options, product.options["single_drizzle"]["resample_data"]
    images = len(product.groups) if resampled else sum(member.nframes for member in product.members)
    compared = "blot" in settings["outlier_method"] and options["median"]["median"] and images > 1
    if compared and (options["crmask"]["noise"] == "err" or not resampled):
        for member in product.members:
            if not member.err:
                raise InputError(
                    f"{table.source}: product {table.name}: {member.path}: no error plane, expected ERR or an inverse variance "
                    "(without one, set outlier_method: none)"
                )


def _road(table, members, mode) -> str:
    if mode == "imaging":
        return mode
    roads = {}
    for member in members:
        road = ROADS.get(member.exp_type.upper(), "") if member.format in ("jwst", "roman") else "imaging"
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
    if road not in BUILT:
        raise InputError(f"{where}: {member.exp_type}: the {road} road is not built yet; {hint}")
    return road


def _groups(table, members) -> dict:
    groups = {}
    for member in members:
        versions = range(1, member.nframes + 1)
        if member.cube:
            for extver in versions:
                groups.setdefault(f"{member.group}-i{extver:04d}", []).append((member.member, [extver]))
        else:
            groups.setdefault(member.group, []).append((member.member, list(versions)))
    for name in groups:
        if not association.SAFE_NAME.fullmatch(name):
            file = next(member.path for member in members if name.startswith(member.group))
            raise InputError(
                f"{table.source}: product {table.name}: {file}: group {name!r} cannot be a file name"
            )
    return groups


def _batches(members, size) -> dict[str, list[str]]:
    names = [member.member for member in members]
    if size == "auto":
        size = 4 if len(names) <= 16 else 8
    if size == 1:
        return {name: [name] for name in names}
    starts = range(0, len(names), size)
    return {f"batch{i:04d}": names[at : at + size] for i, at in enumerate(starts, start=1)}
