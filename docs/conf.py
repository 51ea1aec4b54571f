"""Sphinx: the documentation of Entrepot, warnings as errors."""

project = "Entrepot"
copyright = "2026, the Entrepot contributors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Entrepot"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["build"]
