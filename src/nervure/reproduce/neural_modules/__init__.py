"""The experiments of neural-modules: a module per table and figure of the paper."""
