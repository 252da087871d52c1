"""Slash commands: parse, defer, one service call, render."""
