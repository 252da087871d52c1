"""A loopback Discord for trying the bot with no account, and for tests.

`server.SandboxDiscord` is the whole of it; `redirect.redirect_discord` points discord.py at it,
`driver.UserDriver` does what a person does. Nothing here knows the bot.
"""
