"""The YAML configuration as typed, validated models: one module a section, `settings` for the whole."""
