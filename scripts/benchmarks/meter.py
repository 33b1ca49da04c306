"""What a piece of work costs: wall time, CPU time, memory, bytes written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY = 0.1
_CPU = ("user", "system", "children_user", "children_system")


@dataclass(frozen=True)
class Cost:
    """Of one run. Processor time and memory are those of a whole process tree."""

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    bytes_written: int


def measure(work: Callable[[], object], target: Path, root: int, without: Collection[int] = ()) -> Cost:
    """Does the work, and measures the process `root` and its descendants, save those of `without`.

    `target` is the folder that the work writes.
    """
    peak = [_memory(root, without)]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY):
            peak.append(_memory(root, without))

    watcher = threading.Thread(target=watch, daemon=True)
    began, spent = time.monotonic(), _processor(root, without)
    watcher.start()
    try:
        work()
        wall = time.monotonic() - began
        cpu = _processor(root, without) - spent
        peak.append(_memory(root, without))
    finally:
        over.set()
        watcher.join()
    return Cost(wall, cpu, max(peak), folder_size(target))


def folder_size(folder: Path) -> int:
    """Bytes of the files in a folder, without checksums, and without what also stands elsewhere and was linked here."""
    files = [file.stat() for file in folder.rglob("*") if file.is_file() and file.suffix != ".crc"]
    return sum(file.st_size for file in files if file.st_nlink == 1)


def _processor(root: int, without: Collection[int]) -> float:
    total = 0.0
    for process in _tree(root, without):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += sum(getattr(times, kind, 0.0) for kind in _CPU)
    return total


def _memory(root: int, without: Collection[int]) -> int:
    total = 0
    for process in _tree(root, without):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _tree(root: int, without: Collection[int]) -> Iterator[psutil.Process]:
    """The root and its descendants; psutil lists them one by one, so that a branch can be left out."""
    waiting = [psutil.Process(root)]
    while waiting:
        process = waiting.pop()
        if process.pid in without:
            continue
        yield process
        try:
            waiting += process.children()
        except psutil.NoSuchProcess:
            continue
