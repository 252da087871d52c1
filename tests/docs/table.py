"""What tests do with each command line of the documentation: run, replaced, or excused, and why.

A line that isn't named here is run as it stands. Tests fail on entries that no page has any more.
"""

from dataclasses import dataclass

NOBODY = "nobody yet"

# Who looks at the lines of a program.
PROGRAMS = {
    "jesse": "run by test_command_lines.py",
    "make": "test_make_verbs.py has make say which program each verb starts",
    "docker": "needs a daemon: test_deployment.py compares names with docker-compose.yml",
    "systemctl": "needs systemd as process 1: test_deployment.py has systemd verify the unit",
    "journalctl": "as systemctl",
    "apt-get": "needs root and a network: test_deployment.py compares with the Dockerfile",
    "useradd": "needs root: test_deployment.py compares with the unit",
    "install": "writes to /etc: test_deployment.py looks for what it copies",
    "sed": "run by test_deployment.py on a copy of what it edits",
    "cp": "run by test_deployment.py in an empty copy of the folder",
    "python": "run by test_python_blocks.py",
    ".": "activates what `make setup` makes; test_make_verbs.py looks where that lies",
    # None of these stands on a page; inline code that begins so would be a line to look at.
    **dict.fromkeys(
        ("bash", "curl", "git", "kill", "pip", "podman", "pytest", "sh", "sqlite3", "ssh", "sudo"),
        NOBODY,
    ),
}

# Blocks of these languages, and who looks at them.
LANGUAGES = {
    "sh": "its lines: PROGRAMS",
    "python": "run by test_python_blocks.py",
    "json": "test_operation_docs.py compares it with what the program answers",
    "ini": "test_deployment.py and test_operation_docs.py",
    "text": "a drawing",
}


@dataclass(frozen=True, slots=True)
class Instead:
    """What runs in place of a line, and why."""

    line: str
    why: str


# SOON is an hour after the exchange's time.
INSTEAD = {
    "jesse forward-test --strategy ma_crossover --name first": Instead(
        "jesse forward-test --strategy ma_crossover --name first --until SOON",
        "it would trade until Ctrl-C, which test_forward.py presses",
    ),
    "jesse forward-test --strategy NAME": Instead(
        "jesse forward-test --strategy ma_crossover --name first --until SOON",
        "a name for NAME; the test of the quick start resumes, as is said there",
    ),
    "jesse simulate": Instead(
        "jesse simulate --port 0",
        "its port may be taken on this machine; ended by Ctrl-C when it has answered",
    ),
    "jesse backtest --strategy NAME": Instead(
        "jesse backtest --strategy ma_crossover", "a name for NAME"
    ),
    "jesse check --strategy NAME": Instead(
        "jesse check --strategy ma_crossover", "a name for NAME"
    ),
    "jesse sweep --strategy NAME --params RANGES": Instead(
        "jesse sweep --strategy ma_crossover --params fast_period=10:60:10",
        "a name for NAME; for RANGES what stands beside it",
    ),
    "jesse trades --test NAME": Instead(
        "jesse trades --test first", "the forward test that the page begins with"
    ),
    "jesse import-data FILE...": Instead("jesse import-data candles.csv", "a file for FILE"),
    "jesse strategies [NAME]": Instead("jesse strategies ma_crossover", "a name for NAME"),
}

# Lines that other tests run.
ELSEWHERE = {
    "jesse demo": "tests/bot/console/test_demo.py",
}

# Lines of `python` that nothing runs.
NOT_RUN = {
    "python -c pass": "the reference that `make bench` measures beside Jesse",
    "python -m pip install -r tests/requirements.txt": "needs a network; the file is looked into",
}

# What the end of each command shows when it has worked; all end with 0 but for ENDS.
PROOFS = {
    "backtest": "Run  ",
    "check": "Wakes in time: ",
    "doctor": "reached in ",
    "fetch-data": "candles fetched",
    "forward-test": "resumes with --name first",
    "import-data": "candles read from 1 files",
    "run": "DISCORD_TOKEN, DISCORD_GUILD_ID, DISCORD_CHANNEL_ID are not set",
    "simulate": "Simulated exchange (prices are not real)",
    "strategies": "1h",
    "sweep": "runs in",
    "trades": " trades",
}
ENDS = {
    "run": 2,  # without a token it says what is missing
    "simulate": 130,  # Ctrl-C
}

# Pages that begin where another page ends find 60 days of candles in the cache.
STARTS_WITHOUT_CANDLES = ("README.md", "getting-started.md")
