from tests.conftest import PROJECT_ROOT

SHIPPED = (PROJECT_ROOT / "strategies" / "ma_crossover.py").read_text()


def _write(folder, monkeypatch, source):
    (folder / "mine").mkdir()
    (folder / "mine" / "ma_crossover.py").write_text(source)
    monkeypatch.setenv("STRATEGIES_DIR", str(folder / "mine"))


def test_a_true_claim_holds(jesse, cached):
    outcome = jesse("check", "--strategy", "ma_crossover")
    assert outcome.code == 0, outcome.err
    assert "wake holds: called at" in outcome.out
    assert "of 1,440 closes" in outcome.out


def test_a_strategy_without_a_claim_is_named(jesse, cached):
    outcome = jesse("check", "--strategy", "breakout")
    assert outcome.code == 0
    assert "has no wake: it is called at all of 360 closes" in outcome.out


def test_a_wrong_claim_is_named_with_its_first_candle(jesse, cached, monkeypatch):
    _write(
        cached, monkeypatch, SHIPPED.replace("return self.crossed\n", "return self.crossed_up\n")
    )
    outcome = jesse("check", "--strategy", "ma_crossover")
    assert outcome.code == 1
    assert "wake is wrong at the candle of 2024-01-" in outcome.out


def test_a_strategy_that_counts_its_calls_is_found_out(jesse, cached, monkeypatch):
    source = SHIPPED.replace(
        '        """Turn the position at each crossing."""\n',
        "        self.count = getattr(self, 'count', 0) + 1\n"
        "        if self.count % 2:\n            return []\n",
    )
    _write(cached, monkeypatch, source)
    outcome = jesse("check", "--strategy", "ma_crossover")
    assert outcome.code == 1
    assert "remember something" in outcome.out or "wake is wrong" in outcome.out
