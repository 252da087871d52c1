"""REST routes of application commands, global and per guild."""

from collections.abc import Iterator

from aiohttp import web

from bot.sandbox import errors
from bot.sandbox.models import Command, Payload
from bot.sandbox.payloads import command_payload
from bot.sandbox.rest import API, SERVICES, answer, no_content, number, read_json


def command_routes() -> Iterator[web.RouteDef]:
    """Yield the routes of both scopes."""
    application = f"{API}/applications/{{application_id}}"
    for scope in (f"{application}/commands", f"{application}/guilds/{{guild_id}}/commands"):
        one = f"{scope}/{{command_id}}"
        yield web.get(scope, list_commands)
        yield web.put(scope, overwrite_commands)
        yield web.post(scope, upsert_command)
        yield web.get(one, get_command)
        yield web.patch(one, edit_command)
        yield web.delete(one, delete_command)


async def list_commands(request: web.Request) -> web.Response:
    """List a scope's commands."""
    return _answer_all(request, request.app[SERVICES].commands.listed(_scope(request)))


async def overwrite_commands(request: web.Request) -> web.Response:
    """Replace a scope's commands."""
    definitions = await read_json(request)
    commands = request.app[SERVICES].commands.overwrite(_scope(request), definitions)
    return _answer_all(request, commands)


async def upsert_command(request: web.Request) -> web.Response:
    """Add a command or replace the one of the same name."""
    register = request.app[SERVICES].commands
    before = register.created
    command = register.upsert(_scope(request), await read_json(request))
    return answer(_payload(request, command), status=201 if register.created > before else 200)


async def get_command(request: web.Request) -> web.Response:
    """Return one command."""
    register = request.app[SERVICES].commands
    return answer(_payload(request, register.get(_scope(request), _command_id(request))))


async def edit_command(request: web.Request) -> web.Response:
    """Change some keys of a command."""
    register = request.app[SERVICES].commands
    changes = await read_json(request)
    command = register.edit(_scope(request), _command_id(request), changes)
    return answer(_payload(request, command))


async def delete_command(request: web.Request) -> web.Response:
    """Remove a command."""
    request.app[SERVICES].commands.delete(_scope(request), _command_id(request))
    return no_content()


def _scope(request: web.Request) -> int | None:
    state = request.app[SERVICES].state
    if number(request, "application_id") != state.application_id:
        raise errors.unknown("Application")
    if "guild_id" not in request.match_info:
        return None
    guild_id = number(request, "guild_id")
    if guild_id not in state.guilds or (guild_id, state.bot.id) not in state.members:
        raise errors.missing_access()
    return guild_id


def _command_id(request: web.Request) -> int:
    return number(request, "command_id")


def _payload(request: web.Request, command: Command) -> Payload:
    return command_payload(request.app[SERVICES].state, command)


def _answer_all(request: web.Request, commands: list[Command]) -> web.Response:
    return answer([_payload(request, command) for command in commands])
