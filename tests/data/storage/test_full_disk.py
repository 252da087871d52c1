"""A disk without space: a clear error, nothing half written, and on it goes once there is some."""

import pytest

from data.errors import DatabaseFull, DatabaseMisused


@pytest.fixture
def limit_pages():
    """Let a database grow by so many pages of 4 KiB from now on."""

    async def limit(database, more):
        def work(connection):
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + more}")

        await database._writer.run(work)

    return limit


async def commit_until_full(database, test_id, make_step):
    """Commit steps until there is no space, and return the number of the one that failed."""
    for n in range(1, 10_000):
        try:
            await database.commit_step(make_step(test_id, n))
        except DatabaseFull:
            return n
    return pytest.fail("the disk never became full")


@pytest.mark.parametrize("more", range(8))
async def test_a_step_without_space_is_undone_and_goes_in_later(
    database, test_id, make_step, read_step, limit_pages, more
):
    await limit_pages(database, more)
    failed = await commit_until_full(database, test_id, make_step)

    assert await read_step(database, test_id) == failed - 1
    with pytest.raises(DatabaseFull, match=r"no space left for .*: free some"):
        await database.commit_step(make_step(test_id, failed))
    await limit_pages(database, 1_000)
    assert await database.commit_step(make_step(test_id, failed))
    assert await read_step(database, test_id) == failed


async def test_a_group_without_space_is_undone(
    database, test_id, make_step, read_step, limit_pages
):
    await limit_pages(database, 5)
    steps = [make_step(test_id, n) for n in range(1, 501)]

    with pytest.raises(DatabaseFull):
        await database.commit_steps(steps)

    assert await read_step(database, test_id) == 0
    await limit_pages(database, 1_000)
    assert all(await database.commit_steps(steps))
    assert await read_step(database, test_id) == 500


async def test_a_block_can_not_go_on_after_it_and_is_undone_whole(database, limit_pages):
    async def work():
        async with database.transaction() as transaction:
            await transaction.set_setting("before", 1)
            with pytest.raises(DatabaseFull):
                await transaction.set_setting("large", "x" * 100_000)
            # SQLite has undone all of it: what follows must not be stored alone.
            with pytest.raises(DatabaseMisused, match="undone by an earlier error"):
                await transaction.set_setting("after", 1)

    await limit_pages(database, 2)
    with pytest.raises(DatabaseMisused, match="undone by an earlier error"):
        await work()

    for key in ("before", "large", "after"):
        assert await database.get_setting(key) is None
    await database.set_setting("after", 2)
    assert await database.get_setting("after") == 2
