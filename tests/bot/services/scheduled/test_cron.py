from datetime import UTC, datetime

import pytest

from bot.services.scheduled.cron import parse_cron

SATURDAY = datetime(2024, 3, 2, 12, 0, tzinfo=UTC)


def following(text: str, count: int = 3) -> list[str]:
    trigger, found, last = parse_cron(text), [], None
    now = SATURDAY
    for _ in range(count):
        last = trigger.get_next_fire_time(last, now)
        found.append(f"{last:%a %d %H:%M}")
        now = last
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 * * * *", ["Sat 02 12:05", "Sat 02 13:05", "Sat 02 14:05"]),
        ("*/20 * * * *", ["Sat 02 12:00", "Sat 02 12:20", "Sat 02 12:40"]),
        ("0 3 * * 0", ["Sun 03 03:00", "Sun 10 03:00", "Sun 17 03:00"]),
        ("0 3 * * 7", ["Sun 03 03:00", "Sun 10 03:00", "Sun 17 03:00"]),
        ("0 3 * * sun", ["Sun 03 03:00", "Sun 10 03:00", "Sun 17 03:00"]),
        ("0 3 * * 1-2", ["Mon 04 03:00", "Tue 05 03:00", "Mon 11 03:00"]),
        ("0 3 * * 5-7", ["Sun 03 03:00", "Fri 08 03:00", "Sat 09 03:00"]),
        ("0 3 * * 1,4", ["Mon 04 03:00", "Thu 07 03:00", "Mon 11 03:00"]),
        ("0 3 * * */3", ["Sun 03 03:00", "Wed 06 03:00", "Sat 09 03:00"]),
        ("0 3 1 * *", ["Mon 01 03:00", "Wed 01 03:00", "Sat 01 03:00"]),
    ],
)
def test_expressions_mean_what_every_cron_means_in_utc(text, expected):
    assert following(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5 * * *", "61 * * * *", "* * * * 8", "* * * * 5-2", "x * * * *", "0 0 0 * * *"]
)
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_cron(text)
