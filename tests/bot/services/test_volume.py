import pytest

from bot.services.volume import volume_warning
from bot.settings import Settings


@pytest.fixture
def on_railway(tmp_path, monkeypatch):
    """Settings as the environment of a container makes them."""

    def load(data_dir, mount=None):
        monkeypatch.setenv("RAILWAY_ENVIRONMENT_NAME", "production")
        monkeypatch.setenv("DATA_DIR", str(data_dir))
        if mount is not None:
            monkeypatch.setenv("RAILWAY_VOLUME_MOUNT_PATH", str(mount))
        return Settings.load()

    return load


def test_anywhere_else_nothing_is_said():
    assert volume_warning(Settings.load()) is None


@pytest.mark.parametrize("inside", ["", "jesse", "a/../b"])
def test_on_the_volume_all_is_well(on_railway, tmp_path, inside):
    assert volume_warning(on_railway(tmp_path / inside, mount=tmp_path)) is None


def test_without_a_volume_all_will_be_lost(on_railway, tmp_path):
    warning = volume_warning(on_railway(tmp_path))
    assert "No volume is attached" in warning
    assert "lost at the next deploy" in warning


@pytest.mark.parametrize("outside", ["elsewhere", "data-2", "data/../var"])
def test_beside_the_volume_all_will_be_lost(on_railway, tmp_path, outside):
    mount = tmp_path / "data"
    warning = volume_warning(on_railway(tmp_path / outside, mount=mount))
    assert f"Set DATA_DIR={mount}" in warning


def test_a_link_onto_the_volume_is_on_it(on_railway, tmp_path):
    mount, link = tmp_path / "data", tmp_path / "var"
    mount.mkdir()
    link.symlink_to(mount)
    assert volume_warning(on_railway(link, mount=mount)) is None
