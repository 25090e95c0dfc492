"""The shelf of tokenizers: one way to cut texts into tokens a file."""
