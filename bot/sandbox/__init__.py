"""A loopback Discord for trying the bot with no account, and for tests."""
