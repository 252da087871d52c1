"""How orders are filled: executors, stop and target monitoring, cost models."""

from engine.execution.costs import CostModel, FixedCosts
from engine.execution.executor import BacktestExecutor, Executor, PaperExecutor
from engine.execution.monitor import SLTPMonitor

__all__ = [
    "BacktestExecutor",
    "CostModel",
    "Executor",
    "FixedCosts",
    "PaperExecutor",
    "SLTPMonitor",
]
