import gc

from bot.services.forward.settling import MemorySettler, settle_memory


def test_the_memory_is_settled_when_other_tests_are_alive():
    settled = []
    settler = MemorySettler(lambda: settled.append("once"))
    for alive in ([], [1], [1], [2, 1], [1, 2], [2], [2], []):
        settler.look(iter(alive))
    assert len(settled) == 4


def test_what_is_alive_is_left_out_of_collections():
    try:
        settle_memory()
        assert gc.get_freeze_count() > 1_000
    finally:
        gc.unfreeze()
