"""Figures of a report as PNG, SVG and PDF, light and dark: one colour per method, measured points only."""
