"""Describe a product: its members, the groups and batches that they form, and its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from drizzleflow.formats import Declared
from drizzleflow.plan import batches

#: section -> pixels of all exposures from which on its product is made in 2, 4, 8 … bands: a power of two, which
#: numbers of cores share evenly (benchmarks/README.md, "Bands")
BANDS_FROM = {"mosaic": (8e6, 32e6, 64e6, 128e6, 512e6), "median": (64e6, 128e6, 256e6, 512e6)}


class Finding(NamedTuple):
    """Tell of one thing that a check found."""

    check: str  #: name of the check, a key of the configuration's section ``checks``
    text: str  #: a sentence: what was found, and the likely cause
    value: float | str | None = None  #: the number, or the names
    member: str = ""  #: and `extver`: the frame; the product as a whole without
    extver: int | None = None


@dataclass(frozen=True)
class Member:
    """Describe one file of a product, in plain types that a rule can have as a parameter."""

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
    unit: str = ""  #: of the image, as the header has it
    dispersed: bool = False  #: whether light went through a grism or prism
    odd_variances: bool = (
        False  #: whether its variances have another shape than the image, and ERR stands for them
    )
    err: bool = False  #: whether every frame has its uncertainty
    apart: bool = False  #: whether its frames were exposed one after the other, each a group of its own
    size: int = 0  #: bytes of the file
    dq: str | None = None  #: a file with its flags beside it
    ivar: str | None = None
    flux_scale: float | None = None  #: the data are multiplied by it

    def asdict(self) -> dict:
        return dict(vars(self))  # plain values: dataclasses.asdict copies each, and takes 20 times as long


@dataclass
class Product:
    """Describe one product: its members, the groups they form and its settings."""

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
    batch_size: int | str = "auto"  #: the setting
    format: Declared | None = None  #: what the members' format declares
    methods: tuple[str, ...] = ()  #: the setting outlier_method
    #: of members that have some: the masks of their frames for the sky, (path, HDU or None) or None
    sky_masks: dict[str, list[tuple[str, int | None] | None]] = field(default_factory=dict)
    keeps: bool = False  #: the setting save_intermediate_results
    notes: list[str] = field(default_factory=list)  #: settings of the user's that do nothing
    left_out: list[str] = field(default_factory=list)  #: files of the folder that are no members, a line each
    doubts: list[Finding] = field(default_factory=list)  #: what its members should have in common and do not

    def __post_init__(self):
        self._by_name = {member.member: member for member in self.members}

    def member(self, name: str) -> Member:
        return self._by_name[name]

    @property
    def resampled(self) -> bool:
        """Whether groups are compared on the grid, and not single frames on their own pixels."""
        return self.options["single_drizzle"]["resample_data"]

    @property
    def against_others(self) -> bool:
        """Whether exposures are compared with the others, and not with the median of all."""
        return self.options["crmask"]["reference"] == "others"

    @cached_property
    def stack(self) -> dict[str, list[tuple[str, list[int]]]]:
        """What is compared, in the form of `groups`: groups when resampled, single frames otherwise."""
        if self.resampled:
            return self.groups
        return {
            (m.member if m.nframes == 1 else f"{m.member}-{'i' if m.cube else 'v'}{v:04d}"): [(m.member, [v])]
            for m in self.members
            for v in range(1, m.nframes + 1)
        }

    @cached_property
    def stacked_in(self) -> dict[str, list[tuple[int, str]]]:
        """By a member's name: (extver, the key of `stack` that has it) of each of its frames."""
        found: dict[str, list[tuple[int, str]]] = {}
        for group, parts in self.stack.items():
            for name, extvers in parts:
                found.setdefault(name, []).extend((extver, group) for extver in extvers)
        return found

    @cached_property
    def batches(self) -> dict[str, list[str]]:
        """The members that share a job where jobs are short: batch -> member names."""
        return batches.batches(self._pixels, self.batch_size, batches.SHORT)

    @cached_property
    def shared(self) -> dict[str, dict[str, list[str]]]:
        """The groups and members that share a job in later steps: step -> batch -> names."""
        stacked = {
            group: sum(self.member(name).nx * self.member(name).ny * len(extvers) for name, extvers in parts)
            for group, parts in self.stack.items()
        }
        pixels = {"single_drizzle": stacked, "crmask": self._pixels}
        return {step: batches.batches(found, self.batch_size, batches.LONG) for step, found in pixels.items()}

    @cached_property
    def _pixels(self) -> dict[str, int]:
        return {m.member: m.nx * m.ny * m.nframes for m in self.members}

    @cached_property
    def batch_of(self) -> dict[str, str]:
        """The batch of each member, by the member's name."""
        return {name: batch for batch, names in self.batches.items() for name in names}

    @cached_property
    def nframes(self) -> int:
        return sum(member.nframes for member in self.members)

    @cached_property
    def total_pixels(self) -> int:
        """The number of pixels of all frames."""
        return sum(m.nx * m.ny * m.nframes for m in self.members)

    def frame_pixels(self, names=None) -> int:
        """Return the number of pixels of the largest frame among some members, by default all."""
        members = self.members if names is None else [self.member(name) for name in names]
        return max(m.nx * m.ny for m in members)

    @cached_property
    def bands(self) -> int:
        """The number of bands of rows of the mosaic; `auto` depends on the amount of data alone."""
        return self._bands("mosaic")

    @cached_property
    def median_bands(self) -> int:
        """The number of bands of rows of the median; `auto` depends on the amount of data alone."""
        return self._bands("median")

    def _bands(self, section: str) -> int:
        wanted = self.options[section]["bands"]
        if wanted != "auto":
            return int(wanted)
        return 2 ** sum(self.total_pixels >= least for least in BANDS_FROM[section])
