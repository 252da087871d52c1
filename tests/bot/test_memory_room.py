"""The room that is left, by the limits of both kinds of groups; their files are made here."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.memory_room import memory_room

MB = 1024 * 1024


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with 8 GB available and 1 GB of swap."""
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=8000 * MB))
    monkeypatch.setattr("psutil.swap_memory", lambda: SimpleNamespace(free=1000 * MB))


def room(groups):
    path = Path("cgroup")
    path.write_text(groups)
    return memory_room(path, Path("mount")) // MB


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def stat(**megabytes):
    return "\n".join(f"{name} {number * MB}" for name, number in megabytes.items())


def test_without_groups_the_machine_s_memory_counts():
    assert memory_room(Path("nothing"), Path("mount")) == 9000 * MB
    assert room("0::/\n") == 9000


def test_a_container_sees_its_limit_at_the_root():
    used = stat(anon=150, file=300, file_mapped=40, kernel=10)
    write(Path("mount"), memory__max=512 * MB, memory__stat=used)

    assert room("0::/\n") == 312


def test_the_tightest_of_nested_groups_counts():
    folder = Path("mount/system.slice/jesse.service")
    write(folder, memory__max=1024 * MB, memory__stat=stat(anon=200))
    write(folder.parent, memory__max="max", memory__stat=stat(anon=900))
    assert room("0::/system.slice/jesse.service\n") == 824
    write(folder.parent, memory__max=1000 * MB)
    assert room("0::/system.slice/jesse.service\n") == 100


def test_groups_of_the_first_kind_count_too():
    groups = "9:name=systemd:/\n4:cpu,cpuacct:/\n3:memory:/docker/0f0f\n0::/\n"
    used = stat(cache=400, total_rss=150, total_mapped_file=30)
    write(
        Path("mount/memory"),
        memory__limit_in_bytes=512 * MB,
        memory__stat=used,
        memory__kmem__usage_in_bytes=12 * MB,
    )

    assert room(groups) == 320


def test_what_is_over_the_limit_is_no_room():
    write(Path("mount"), memory__max=100 * MB, memory__stat=stat(anon=150))

    assert room("0::/\n") == 0


def test_an_absent_limit_is_none():
    write(Path("mount/memory"), memory__limit_in_bytes=9_223_372_036_854_771_712)

    assert room("3:memory:/\n") == 9000


def test_on_this_machine_there_is_some():
    assert memory_room() > 0
