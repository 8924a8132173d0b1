"""What a device profile can say: strict models, checked against the metric catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from probes.metrics import FAMILIES, PREFIX, Family
from probes.model import DeviceRole, Identifier, Settings, Several
from probes.profiles.values import Plain, Type

PRIVATE_OBJECTS = re.compile(r"imei|imsi|iccid|uicc|msisdn|phone|subscriber|serial", re.IGNORECASE)


def _public(name: str) -> str:
    if PRIVATE_OBJECTS.search(name):
        raise ValueError("numbers of subscribers, SIM cards and devices are never read")
    return name


def _oid(value: str) -> str:
    if not re.fullmatch(r"[0-2](\.\d{1,10}){2,127}", value):
        raise ValueError("must be an object identifier in numbers, such as 1.3.6.1.2.1.1.3.0")
    return value


def _family(name: str) -> str:
    if PREFIX + name not in FAMILIES:
        raise ValueError(f"no family {PREFIX}{name} in the metric catalogue")
    return name


def _pattern(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    if groups != 1:
        raise ValueError("must have exactly one group in parentheses: what is taken of the text")
    return value


def _expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    return value


Oid = Annotated[str, AfterValidator(_oid)]
MibName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][A-Za-z0-9-]*$")]
ObjectName = Annotated[MibName, AfterValidator(_public)]
FamilyName = Annotated[str, AfterValidator(_family)]
GroupName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Reduce = Literal["max", "min", "mean", "sum", "first"]
Pair = Annotated[tuple[float, float], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]


class _Reader(Settings):
    """How one object's value is read."""

    type: Type = "number"
    """`number` (also out of a text such as "-106 dBm"), `unsigned` (a negative Integer32 is a counter that ran over),
    `ticks` (hundredths of a second, read as seconds), `hex`, `bits`, `date` (DateAndTime), `text`."""
    pattern: Annotated[str, AfterValidator(_pattern)] | None = None
    """A regular expression; its one group is what is taken of a text."""
    scale: float = 1
    """Times this, to reach the base unit of the family."""
    range: Pair | None = None
    """Lowest and highest value that is believed, before `scale`. With it, 65535, 2147483647 and 4294967295 (and what
    else is "unknown" in SNMP) are no values."""
    absent: Several[Plain] = ()
    """Further values that mean nothing."""
    flag: Several[Plain] | None = None
    """Values that make a flag 1; every other makes it 0. Texts whatever their case; `registered*` is a beginning. For
    `bits` the numbers of bits."""
    above: float | None = None
    """The flag is 1 above this number."""
    values: Mapping[Plain, Plain] | None = None
    """What each value of an enumeration stands for; values that are not named mean nothing."""

    @model_validator(mode="after")
    def _one_meaning(self) -> _Reader:
        given = [name for name in ("flag", "above", "values") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"only one of {' and '.join(given)} can decide")
        if self.type == "bits" and self.flag is None:
            raise ValueError("bits need a flag: the numbers of the bits that count")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError("range must be the lowest, then the highest value")
        if self.scale == 0:
            raise ValueError("scale must not be 0")
        return self


class Object(_Reader):
    """One object of a MIB: its name, where it is, and how it is read."""

    object: ObjectName
    """Its name in the MIB, for people."""
    oid: Oid
    """A scalar's with its `.0`; a column's without the index."""


class Share(Settings):
    """A ratio of sums: (part - minus) / whole, from 0 to 1."""

    part: Annotated[Several[Object], Field(min_length=1)]
    minus: Several[Object] = ()
    whole: Annotated[Several[Object], Field(min_length=1)]


class Where(Settings):
    """Rows of a table in which a column has one of these values; read when the rows are learnt."""

    object: ObjectName
    oid: Oid
    values: Annotated[Several[Plain], Field(min_length=1)]


class Decimals(Settings):
    """Columns that say by what each row is scaled: value x 10^(3 (scale - 9)) / 10^precision (RFC 3433)."""

    scale: Object
    precision: Object


class Limits(Settings):
    """From where a reading is worth a warning, in the family's unit; falling values where critical is the lower."""

    warning: float
    critical: float


class Reading(_Reader):
    """One family that is fed: from an object, from several, or, with labels alone, the constant 1."""

    family: FamilyName
    """A name of the metric catalogue, without `lienxa_`."""
    object: ObjectName | None = None
    oid: Oid | None = None
    first: Several[Object] = ()
    """The first of these that has a value."""
    any: Several[Object] = ()
    """1 if any of these flags is, 0 if none is; absent where none of them has a value."""
    share: Share | None = None
    labels: Mapping[str, str | Object] = Field(default_factory=dict)
    """The family's own labels: a fixed text, or an object. A row's name stands for the one that is left out."""
    reduce: Reduce | None = None
    """How the rows of a table become one value; where the family has labels of its own, those rows that share them."""
    where: Where | None = None
    decimals: Decimals | None = None
    zero_needs: FamilyName | None = None
    """A 0 is only believed while this flag is 1 (several UPSes say 0 minutes while on mains)."""
    limits: Limits | None = None

    @model_validator(mode="after")
    def _fed_once(self) -> Reading:
        ways = [name for name in ("oid", "first", "any", "share") if getattr(self, name)]
        family = self.catalogue
        if (self.oid is None) != (self.object is None):
            raise ValueError("object and oid go together")
        if len(ways) > 1:
            raise ValueError(f"only one of {' and '.join(ways)} can feed it")
        if not ways and (family.unit != "info" or not self.labels):
            raise ValueError("needs an oid, first, any or share; only an info family lives on labels alone")
        if unknown := sorted(set(self.labels) - set(family.own)):
            raise ValueError(f"{family.name} has no label {', '.join(unknown)} of its own")
        if self.type == "text" and self.flag is None and self.values is None and self.oid:
            raise ValueError("a text is no number: give flag or values, or use it as a label")
        return self

    @property
    def catalogue(self) -> Family:
        """The family itself."""
        return FAMILIES[PREFIX + self.family]


class Change(Object):
    """A scalar that tells when the rows of a table must be learnt anew."""

    falls: bool = False
    """Only if it falls, as the uptime does after a restart; else at any change."""


class NextHop(Settings):
    """Columns of the device's own IPv4 addresses (ipAddrTable), by which it is found how it reaches another."""

    interface: Object
    mask: Object


class Table(Settings):
    """Rows of a table. Which there are is remembered, and values are asked by index."""

    names: Literal["index"] | Annotated[Several[Object], Field(min_length=1)] | None = None
    """What rows are called: the first of these columns that has any text, or their index. Equal names get the index."""
    within: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)*$")] | None = None
    """How the index of rows begins that are read at all: `0.0.0.0` of a table of routes."""
    lookup: Several[Object] = ()
    """Columns of another table, where `names` only tells a row of that: ifName, for an ifIndex. The first that has any
    text is the name; several rows may have the same. Such rows are learnt in each beat: they may point elsewhere."""
    next_hop: NextHop | None = None
    """For `lookup` where `names` tells no row: the index ends in an address, that of a next hop."""
    otherwise: bool = False
    """Asked only where the group's tables before it have said nothing."""
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")] | None = None
    """Put before the rows' names: `fan` makes `fan 1` of index 1."""
    signs: Several[Change] = ()
    limit: Annotated[int, Field(ge=1, le=1024)] = 64
    """Rows that are read at most."""
    up_to: Object | None = None
    """A scalar that says how many rows are real; the others are placeholders."""
    where: Where | None = None
    columns: Annotated[Several[Reading], Field(min_length=1)]

    @model_validator(mode="after")
    def _looked_up(self) -> Table:
        if not self.lookup:
            if self.next_hop is not None:
                raise ValueError("next_hop needs lookup: where the name of the interface is")
            return self
        if not isinstance(self.names, tuple) or len(self.names) != 1:
            raise ValueError("lookup needs names with one object: the number of a row in it")
        for place, column in enumerate(self.columns):
            if column.reduce is None:
                raise ValueError(f"columns.{place}: {column.family} needs reduce, as rows may share a name")
        return self

    @model_validator(mode="after")
    def _labelled(self) -> Table:
        for place, column in enumerate(self.columns):
            missing = [name for name in column.catalogue.own if name not in column.labels]
            if len(missing) > 1:
                raise ValueError(f"columns.{place}: {column.family} needs its labels: {', '.join(missing)}")
            if missing and self.names is None:
                raise ValueError(f"columns.{place}: {column.family} needs its label {missing[0]}, or the table names")
            if not column.catalogue.own and column.reduce is None:
                raise ValueError(f"columns.{place}: {column.family} has one value for the device: give reduce")
        return self


class Group(Settings):
    """Objects that are asked together, and succeed or fail together."""

    name: GroupName
    big: bool = False
    """Asked last, and only while the device's link is healthy."""
    refresh_s: Annotated[float, Field(ge=60, le=86400)] | None = None
    """For what hardly ever changes: asked once in this time, and told again in between."""
    scalars: Several[Reading] = ()
    tables: Several[Table] = ()

    @model_validator(mode="after")
    def _whole(self) -> Group:
        if not self.scalars and not self.tables:
            raise ValueError("a group needs scalars or tables")
        for place, reading in enumerate(self.scalars):
            missing = [name for name in reading.catalogue.own if name not in reading.labels]
            if missing and reading.catalogue.unit != "info":
                raise ValueError(f"scalars.{place}: {reading.family} needs its labels: {', '.join(missing)}")
            for name in ("reduce", "where", "decimals"):
                if getattr(reading, name) is not None:
                    raise ValueError(f"scalars.{place}: {name} is for the columns of a table")
        return self


class Match(Settings):
    """How a device is recognised; what is given must all hold."""

    object_id: Several[Oid] = ()
    """Beginnings of sysObjectID, any of them."""
    description: Annotated[str, AfterValidator(_expression)] | None = None
    """A regular expression that is found in sysDescr, whatever the case."""
    probe: Object | None = None
    """An object that the device must have: a scalar with its `.0`, or a column with at least one row."""

    @model_validator(mode="after")
    def _something(self) -> Match:
        if not self.object_id and self.description is None and self.probe is None:
            raise ValueError("needs object_id, description or probe; leave match out for a profile asked by name only")
        return self


class Sign(Settings):
    """An object that no other device has the same value of, such as its serial number."""

    object: MibName
    oid: Oid
    """A scalar's with its `.0`; of a column the first row that has a value."""


class Profile(Settings):
    """One sort of device, or, without `match`, groups that other profiles and inventories name."""

    id: Identifier
    """Also the name of the file."""
    title: Words
    source: Words
    """The MIB, or where else the facts come from."""
    match: Match | None = None
    also: Several[Identifier] = ()
    """Profiles without `match` whose groups such a device has as well."""
    groups: Several[Group] = ()
    roles: Several[DeviceRole] = ()
    """What such a device can be in an inventory; anything, unless given."""
    serial_number: Several[Sign] = ()
    """What tells this device from every other: only ever compared with what was read before, never shown."""

    @model_validator(mode="after")
    def _named_once(self) -> Profile:
        names = [group.name for group in self.groups]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"groups: {', '.join(twice)} is there twice")
        if not self.groups and not self.also:
            raise ValueError("needs groups, or also")
        known: dict[str, str] = {}
        for item in objects(self):
            if known.setdefault(item["oid"], item["object"]) != item["object"]:
                raise ValueError(f"{item['oid']} is called {known[item['oid']]} and {item['object']}")
        return self


def objects(profile: Profile) -> Iterator[Mapping[str, Any]]:
    """Every object that a profile names: `object` and `oid`, as often as it names it."""
    yield from named(profile.model_dump())


def named(data: object) -> Iterator[Mapping[str, Any]]:
    """Every object within a dumped part of a profile."""
    if isinstance(data, Mapping):
        if data.get("oid") is not None:
            yield data
        for value in data.values():
            yield from named(value)
    elif isinstance(data, tuple):
        for value in data:
            yield from named(value)
