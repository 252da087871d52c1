"""Whether state survives a redeploy where the bot runs. Pure but for resolving paths."""

from pathlib import Path

from bot.settings import Settings


def volume_warning(settings: Settings) -> str | None:
    """Return what is wrong with the place of DATA_DIR on Railway; None where all is well."""
    mount = settings.railway_volume_mount_path
    if settings.railway_environment_name is None and mount is None:
        return None
    folder = settings.data_dir.resolve()
    if mount is None:
        return (
            f"No volume is attached, so all in {folder} (forward tests, candles, settings) is lost"
            " at the next deploy: attach one at /data in Railway and set DATA_DIR=/data."
        )
    if not folder.is_relative_to(Path(mount).resolve()):
        return (
            f"DATA_DIR is {folder}, which is not on the volume at {mount}: all in it (forward"
            f" tests, candles, settings) is lost at the next deploy. Set DATA_DIR={mount}."
        )
    return None
