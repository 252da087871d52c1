"""The files that hosts read agree with each other, with the settings and with the program."""

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from bot.cli import build_parser
from bot.health_server import PATH
from bot.settings import Settings

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
