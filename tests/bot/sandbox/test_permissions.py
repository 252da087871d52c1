from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.models import Overwrite, Role
from bot.sandbox.permissions import (
    ALL,
    MEMBER_DEFAULT,
    Permission,
    base_permissions,
    channel_permissions,
)

GUILD, ROLE, USER = 1, 2, 3
SEND = Permission.SEND_MESSAGES


def in_channel(*overwrites, base=MEMBER_DEFAULT):
    return channel_permissions(
        base, overwrites, guild_id=GUILD, role_ids={GUILD, ROLE}, user_id=USER
    )


def test_the_member_beats_the_role_and_the_role_beats_everyone():
    everyone = Overwrite(GUILD, is_member=False, deny=SEND)
    role = Overwrite(ROLE, is_member=False, allow=SEND)
    member = Overwrite(USER, is_member=True, deny=SEND)

    assert not in_channel(everyone) & SEND
    assert in_channel(role, everyone) & SEND
    assert not in_channel(member, role, everyone) & SEND


def test_overwrites_for_others_change_nothing():
    others = (Overwrite(9, is_member=True, deny=SEND), Overwrite(8, is_member=False, deny=SEND))

    assert in_channel(*others) == MEMBER_DEFAULT


def test_without_sight_of_a_channel_nothing_is_allowed():
    assert in_channel(Overwrite(GUILD, is_member=False, deny=Permission.VIEW_CHANNEL)) == 0


@given(st.integers(0, ALL))
def test_administrators_and_owners_may_do_everything(deny):
    roles = [Role(ROLE, GUILD, "Admin", Permission.ADMINISTRATOR)]
    overwrite = Overwrite(USER, is_member=True, deny=deny)

    assert in_channel(overwrite, base=base_permissions(roles)) == ALL
    assert base_permissions([], is_owner=True) == ALL
