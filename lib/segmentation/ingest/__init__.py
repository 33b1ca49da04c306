"""Conforming sources to the contract: reading, mapping, quality rules, quarantine, duplicates, bots."""
