"""What a person, a log file or a scheduler sees of a run."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Literal, TextIO

from pyspark import SparkContext
from rich.console import Console
from rich.status import Status


@dataclass(frozen=True)
class StageReport:
    """What one stage of a run did."""

    run_id: str
    stage: str
    mode: str
    rows_in: int
    rows_out: int
    seconds: float
    bytes_written: int = 0
    figures: dict[str, int] = field(default_factory=dict)
    message: str = ""
    result: str = ""

    def line(self) -> str:
        """The same as one line of text."""
        counts = "".join(f", {value:,} {name.replace('_', ' ')}" for name, value in self.figures.items())
        said = f" · {self.message}" if self.message else ""
        rows = "" if self.mode == "reused" else f"{self.rows_in:,} in, {self.rows_out:,} out{counts}, "
        return f"{self.stage:<10} {rows}{self.seconds:.1f} s{said}"


class Progress:
    """Reports stages on standard error: a live line on a terminal, else one line a stage, or JSON lines."""

    def __init__(self, log_format: Literal["text", "json"] = "text", stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._json = log_format == "json"
        self._console = Console(file=self._stream, highlight=False)
        self._live = self._console.is_terminal and not self._json
        self._said = ""

    def tell(self, what: str) -> None:
        """What the stage is busy with: shown on a terminal, where somebody is waiting."""
        self._said = what

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Shows that `name` is alive until the block ends."""
        self._said = ""
        if not self._live:
            yield
            return
        over = threading.Event()
        with self._console.status(f"{name} …") as status:
            watcher = threading.Thread(target=self._watch, args=(name, status, over), daemon=True)
            watcher.start()
            try:
                yield
            finally:
                over.set()
                watcher.join()

    def done(self, report: StageReport) -> None:
        """A stage has ended well."""
        if self._json:
            self._stream.write(json.dumps({"event": "stage", **asdict(report)}) + "\n")
            self._stream.flush()
        elif self._live:
            self._console.print(f"[green]✓[/green] {report.line()}")
        else:
            self._stream.write(report.line() + "\n")
            self._stream.flush()

    def note(self, text: str) -> None:
        """One line of news that belongs to no stage."""
        if self._json:
            self._stream.write(json.dumps({"event": "note", "text": text}) + "\n")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _watch(self, name: str, status: Status, over: threading.Event) -> None:
        """Every half second: seconds since the start, and how far Spark is with the job that it is at."""
        waited = 0.0
        while not over.wait(0.5):
            waited += 0.5
            said = f" · {self._said}" if self._said else ""
            status.update(f"{name} {waited:.0f} s{said}{_tasks()}")


def _tasks() -> str:
    context = SparkContext._active_spark_context
    if context is None:
        return ""
    tracker = context.statusTracker()
    stages = [info for stage in tracker.getActiveStageIds() if (info := tracker.getStageInfo(stage))]
    total = sum(info.numTasks for info in stages)
    return f" · {sum(info.numCompletedTasks for info in stages)} of {total} tasks" if total else ""
