"""Strategies that ship with Jesse; each file is found by its name."""
