"""Regenerates units.tsv from the SQLite file of the PyPI distribution `vietnamadminunits` (MIT), read, never imported.

Usage: pip install vietnamadminunits==1.0.4 && python probes/units/regenerate.py
"""

import importlib.util
import sqlite3
import unicodedata
from pathlib import Path

TYPES = {"Phường": "ward", "Xã": "commune", "Đặc khu": "special_zone"}


def main() -> None:
    """Write one line per province and per commune, sorted by code."""
    spec = importlib.util.find_spec("vietnamadminunits")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("vietnamadminunits is not installed: pip install vietnamadminunits==1.0.4")
    database = Path(spec.submodule_search_locations[0], "data", "dataset.db")
    with sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True) as connection:
        communes = connection.execute(
            "select wardCode, provinceCode, wardType, ward, wardLat, wardLon from admin_units order by 2, 1"
        ).fetchall()
        provinces = connection.execute(
            "select distinct provinceCode, province, provinceLat, provinceLon from admin_units order by provinceCode"
        ).fetchall()
    lines = [("code", "province", "type", "name", "latitude", "longitude")]
    lines += [(code, code, "province", name, lat, lon) for code, name, lat, lon in provinces]
    lines += [(code, province, TYPES[kind], name, lat, lon) for code, province, kind, name, lat, lon in communes]
    text = "".join("\t".join(str(value) for value in line) + "\n" for line in lines)
    Path(__file__).with_name("units.tsv").write_text(unicodedata.normalize("NFC", text), encoding="utf-8")


if __name__ == "__main__":
    main()
