"""The files that hosts read agree with each other, with the settings and with the program."""

import ast
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from bot.cli import build_parser
from bot.health_server import PATH
from bot.settings import Settings
from tests.docs.pages import blocks, every_command, read

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def instructions() -> list[tuple[str, str]]:
    joined = DOCKERFILE.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines if not line.startswith(" ")]


def only(name: str) -> str:
    [value] = [value for key, value in instructions() if key == name]
    return value


def railway() -> dict:
    return tomllib.loads((ROOT / "railway.toml").read_text())


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", only("ENV")))


def test_the_image_starts_as_a_user_without_rights_under_an_init():
    names = [name for name, _ in instructions()]
    assert only("USER") == "10001:10001"
    assert "useradd --uid 10001 --gid jesse --create-home jesse" in DOCKERFILE
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert json.loads(only("ENTRYPOINT"))[0] == "tini"


def test_the_image_proves_as_its_user_that_it_can_draw():
    steps = instructions()
    assert steps.index(("USER", "10001:10001")) < steps.index(("RUN", "python -m bot.charts.proof"))


def test_the_image_pins_the_base_and_the_packages():
    assert re.fullmatch(r"python:3\.11-slim-\w+", only("FROM"))
    assert "pip install -r requirements.txt" in DOCKERFILE
    required = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line]
    assert all("==" in line for line in required if not line.startswith("#"))


def test_the_image_declares_no_volume_for_railway_refuses_that():
    assert "VOLUME" not in [name for name, _ in instructions()]


def test_railway_and_the_procfile_start_what_the_image_starts():
    start = [*json.loads(only("ENTRYPOINT")), *json.loads(only("CMD"))]
    assert shlex.split(railway()["deploy"]["startCommand"]) == start
    assert (ROOT / "Procfile").read_text() == f"web: {shlex.join(json.loads(only('CMD')))}\n"
    assert build_parser().parse_args(json.loads(only("CMD"))[1:]).command == "run"


def test_all_ask_for_health_where_it_is_told():
    assert railway()["deploy"]["healthcheckPath"] == PATH
    probe = json.loads(only("HEALTHCHECK").partition("CMD")[2])
    assert probe[:2] == ["python", "-c"]
    ast.parse(probe[2])
    assert PATH in probe[2]
    assert only("EXPOSE") == image_environment()["PORT"]


def test_state_lies_on_the_volume_everywhere():
    assert image_environment()["DATA_DIR"] == "/data"
    assert railway()["deploy"]["requiredMountPath"] == "/data"
    assert "DATA_DIR: /data" in COMPOSE
    assert "data:/data" in COMPOSE


def test_all_wait_longer_for_the_end_than_it_takes():
    assert railway()["deploy"]["drainingSeconds"] > 10
    assert int(re.search(r"stop_grace_period: (\d+)s", COMPOSE)[1]) > 10


def test_two_processes_never_share_the_volume():
    assert railway()["deploy"]["overlapSeconds"] == 0


def test_what_the_image_sets_are_settings():
    ours = {"CHROMIUM_PATH", "DATA_DIR", "MAX_JOBS", "PORT"}
    names = {name.upper() for name in Settings.model_fields}
    others = ("PYTHON", "PIP", "MALLOC", "ARROW", "OPENBLAS")
    found = {name for name in image_environment() if not name.startswith(others)}
    assert found == ours
    assert ours <= names


def test_no_secret_and_no_state_gets_into_the_image():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert let_in == {
        ".docker/entrypoint", "bot", "data", "engine", "strategies", "pyproject.toml",
        "requirements.txt", "README.md",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["Dockerfile", "docker-compose.yml", "railway.toml"])
def test_no_secret_is_written_into_what_hosts_read(path):
    text = (ROOT / path).read_text()
    assert not re.search(r"(TOKEN|SECRET|API_KEY|WEBHOOK_URL|HEARTBEAT_URL)\s*[:=]", text)


def test_the_entrypoint_can_be_executed():
    assert (ROOT / ".docker" / "entrypoint").stat().st_mode & 0o111 == 0o111


def run_in(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def lines_of(program: str) -> list[list[str]]:
    found = [command.words for command in every_command(program)]
    assert found
    return found


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str
    [block] = blocks("deployment.md", "ini")
    parser.read_string(block.text)
    return parser


def unit_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in unit()["Service"]["Environment"].split())


def test_the_lines_for_docker_name_the_service_that_there_is():
    services = re.findall(r"^  (\w+):$", COMPOSE.partition("services:")[2], re.M)
    described = {"up", "logs", "exec", "restart", "cp"}
    assert {words[2] for words in lines_of("docker")} == described
    for _, compose, verb, *words in lines_of("docker"):
        assert compose == "compose"
        named = [word for word in words if not word.startswith("-")]
        if verb == "exec":
            assert named[:2] == [services[0], "jesse"]
            assert build_parser().parse_args(named[2:]).command
        elif verb == "cp":
            service, path = named[0].split(":")
            assert service == services[0]
            assert path == f"{image_environment()['DATA_DIR']}/backups"
        else:
            assert not named


def test_the_settings_that_are_copied_for_docker_are_read(tmp_path):
    shutil.copy(ROOT / ".env.example", tmp_path)
    [copying] = lines_of("cp")
    assert run_in(tmp_path, copying).returncode == 0
    assert f"env_file: {copying[2]}" in COMPOSE
    assert copying[2] in (ROOT / ".gitignore").read_text().splitlines()
    assert Settings.load(tmp_path / copying[2]) == Settings.load(None)


def test_a_machine_gets_the_browser_and_fonts_of_the_image_and_a_python_that_will_do():
    [packages] = [{word for word in words if word[0] != "-"} for words in lines_of("apt-get")]
    image = set(
        re.search(r"--no-install-recommends (.*)", DOCKERFILE)[1].removesuffix("\\").split()
    )
    assert packages >= image - {"tini"}
    [python] = [name for name in packages if re.fullmatch(r"python[\d.]+", name)]
    assert f"{python}-venv" in packages
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert python == f"python{required.removeprefix('>=')}"
    assert ["make", "-C", "/opt/jesse", f"PYTHON={python}", "setup"] in lines_of("make")


def test_the_unit_runs_as_the_user_that_is_made_in_the_folder_that_it_has():
    [words] = lines_of("useradd")
    assert words[-1] == unit()["Service"]["User"]
    assert words[words.index("--home-dir") + 1] == unit_environment()["DATA_DIR"]


def test_no_setting_of_the_unit_is_overruled_by_its_file(tmp_path):
    [words] = lines_of("install")
    source, target = words[-2:]
    assert target == unit()["Service"]["EnvironmentFile"]
    (tmp_path / "jesse.env").write_text((ROOT / Path(source).relative_to("/opt/jesse")).read_text())
    for sed in lines_of("sed"):
        assert sed[-1] == target
        assert run_in(tmp_path, [*sed[:-1], "jesse.env"]).returncode == 0
    set_in_file = set(re.findall(r"^(\w+)=", (tmp_path / "jesse.env").read_text(), re.M))
    # systemd.exec(5): settings from these files override those made with Environment.
    assert "DISCORD_TOKEN" in set_in_file
    assert not set_in_file & unit_environment().keys()


def test_the_unit_is_named_as_its_lines_say():
    [path] = re.findall(r"`/etc/systemd/system/(\w+)\.service`", read("deployment.md"))
    [enabling], [watching] = lines_of("systemctl"), lines_of("journalctl")
    assert enabling == ["systemctl", "enable", "--now", path]
    assert watching == ["journalctl", "-u", path, "-f"]


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not at hand")
    folder = unit()["Service"]["WorkingDirectory"]
    program = tmp_path / Path(unit()["Service"]["ExecStart"].split()[0]).relative_to(folder)
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    [block] = blocks("deployment.md", "ini")
    (tmp_path / "jesse.service").write_text(block.text.replace(folder, str(tmp_path)))
    done = run_in(tmp_path, ["systemd-analyze", "verify", "--man=no", "jesse.service"])
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
