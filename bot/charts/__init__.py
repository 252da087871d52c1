"""Figures and their rendering to HTML and PNG."""
