"""The Lambda side: entry points over adapters over a pure core. One package, one zip."""
