"""Charts, drawn by Matplotlib as SVG that stands in a page; `canvas` says how."""
