"""The bot: the only package that composes the others, and the only one that knows Discord."""
