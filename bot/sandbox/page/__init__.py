"""The web page of the sandbox: a channel as a person sees it in Discord's client.

    sandbox = SandboxDiscord()
    page = SandboxPage(sandbox)              # before the server starts
    async with sandbox:
        print(page.url)                      # http://127.0.0.1:PORT/channel/<token>/

`routes.SandboxPage` adds the page to the sandbox's server; `gate` decides who gets in, `live` tells
an open page what changes, `actions` does what its user does through `UserDriver`, `render` puts
it all into JSON. The browser's part is in `static/`. Nothing here knows the bot.
"""

from bot.sandbox.page.routes import SandboxPage

__all__ = ["SandboxPage"]
