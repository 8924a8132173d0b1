"""Per-province bundles: units, containers, scrape configuration; and the lab."""
