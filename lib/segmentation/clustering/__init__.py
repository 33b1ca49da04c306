"""Finding clusters: preparing people, fitting candidates, choosing one with evidence, and carrying it on."""
