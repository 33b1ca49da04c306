"""A folder, local or of an object store, in which files appear whole or not at all.

All through Hadoop's file systems: what Spark can read can be delivered to, and no byte of a file passes through
Python's memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from segmentation.contracts.errors import ConfigError, DeliveryError

_BUFFER = 1 << 16
_PART = re.compile(r"part-(\d+)(.*)")


@dataclass(frozen=True)
class Folder:
    """`root` is an absolute path or a URI; `what` is delivered there, for errors: `the export 'crm'`."""

    spark: SparkSession
    root: str
    what: str

    def path(self, file: str) -> str:
        """A file's place. Raises `ConfigError` where it would lie outside of the folder, also through a link."""
        if self._local is not None:
            folder, inside = self._local.resolve(), (self._local / file).resolve()
            if not inside.is_relative_to(folder) or inside == folder:
                raise ConfigError(f"A file of {self.what} would lie outside of its folder: name it differently.")
        return f"{self.root.rstrip('/')}/{file}"

    def exists(self, file: str) -> bool:
        """Whether the file is there."""
        return bool(self._try(lambda: self._files.exists(self._java(self.path(file)))))

    def write_lines(
        self, file: str, lines: DataFrame | None, header: bytes, line_ending: str, most_bytes: int | None = None
    ) -> str:
        """Writes the one column of `lines` (None: there is none), in its order, behind `header`; returns the SHA-256
        of the bytes.

        Spark writes parts aside; they are put together, flushed to the disk, and only then renamed. Where the
        process ends before that, the file that was there before is still there. Raises `DeliveryError`, also where
        the file has more than `most_bytes`.
        """
        target, aside, parts = self.path(file), self._aside(file), None
        self._try(lambda: self._files.delete(self._java(aside), True))
        try:
            if lines is not None:
                parts, writer = f"{aside}/parts", lines.write.option("lineSep", line_ending)
                self._try(lambda: writer.option("compression", "none").text(parts))
            sha256 = str(self._try(lambda: self._put_together(parts, f"{aside}/whole", header)))
            self._check_length(f"{aside}/whole", most_bytes)
            self._try(lambda: self._rename(f"{aside}/whole", target))
        finally:
            self._try(lambda: self._files.delete(self._java(aside), True))
        return sha256

    def write_parquet(self, file: str, rows: DataFrame, columns: Sequence[str], key: str) -> str:
        """Writes one Parquet file of these columns, rows in the order of `key`, whole or not at all; returns the
        SHA-256 of its bytes. Raises `DeliveryError`."""
        target, aside = self.path(file), self._aside(file)
        self._try(lambda: self._files.delete(self._java(aside), True))
        try:
            # A Parquet file ends with the index of all of it, so it cannot be put together of parts.
            ordered = rows.repartition(1).sortWithinPartitions(key).select(*columns)
            self._try(lambda: ordered.write.parquet(f"{aside}/parts"))
            sha256 = str(self._try(lambda: self._put_together(f"{aside}/parts", f"{aside}/whole", b"")))
            self._try(lambda: self._rename(f"{aside}/whole", target))
        finally:
            self._try(lambda: self._files.delete(self._java(aside), True))
        return sha256

    def write_text(self, file: str, text: str) -> None:
        """Writes a small file, whole or not at all. Raises `DeliveryError`."""
        aside = self._aside(file)
        self._try(lambda: self._put_together(None, aside, text.encode()))
        self._try(lambda: self._rename(aside, self.path(file)))

    def read_text(self, file: str) -> str | None:
        """A small file as text; None where it is not there."""
        if not self.exists(file):
            return None
        source = self.open(file)
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(source, "UTF-8"))
        finally:
            source.close()

    def open(self, file: str) -> Any:
        """A file's bytes, as a Java stream that the caller closes. Raises `DeliveryError`."""
        return self._try(lambda: self._files.open(self._java(self.path(file))))

    @property
    def _local(self) -> Path | None:
        uri = urlsplit(self.root)
        if uri.scheme in ("", "file"):
            return Path(unquote(uri.path) if uri.scheme else self.root)
        return None

    @property
    def _files(self) -> Any:
        """The file system; for a local folder the bare one, which leaves no checksum files about."""
        configuration = self.spark._jsc.hadoopConfiguration()
        found = self._java(self.root).getFileSystem(configuration)
        return found.getRawFileSystem() if found.getScheme() == "file" else found

    @property
    def _jvm(self) -> Any:
        return self.spark._jvm

    def _java(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _aside(self, file: str) -> str:
        folder, _, last = self.path(file).rpartition("/")
        return f"{folder}/.{last}.aside"

    def _put_together(self, parts: str | None, target: str, header: bytes) -> str:
        digest = self._jvm.java.security.MessageDigest.getInstance("SHA-256")
        out = self._files.create(self._java(target), True)
        try:
            stream = self._jvm.java.security.DigestOutputStream(out, digest)
            stream.write(bytearray(header))
            for part in self._parts(parts) if parts else []:
                source = self._files.open(part)
                try:
                    self._jvm.org.apache.hadoop.io.IOUtils.copyBytes(source, stream, _BUFFER, False)
                finally:
                    source.close()
            stream.flush()
            out.hsync()
        finally:
            out.close()
        return bytes(digest.digest()).hex()

    def _check_length(self, path: str, most_bytes: int | None) -> None:
        length = int(self._try(lambda: self._files.getFileStatus(self._java(path)).getLen()))
        if most_bytes is not None and length > most_bytes:
            raise DeliveryError(
                f"A file of {self.what} has {length:,} bytes, and its destination takes {most_bytes:,} at most, so it "
                "was not delivered: deliver its `segments` apart."
            )

    def _parts(self, folder: str) -> list[Any]:
        """Paths of the parts in Spark's order: by number, which may have outgrown its five digits."""
        found = []
        for status in self._files.listStatus(self._java(folder)):
            if match := _PART.fullmatch(status.getPath().getName()):
                found.append((int(match[1]), match[2], status.getPath()))
        return [path for *_, path in sorted(found, key=lambda part: part[:2])]

    def _rename(self, source: str, target: str) -> None:
        here, there = self._java(source), self._java(target)
        if self._files.rename(here, there):
            return
        # Not every file system renames onto a file that is there.
        self._files.delete(there, False)
        if not self._files.rename(here, there):
            raise DeliveryError(f"A file of {self.what} could not be put in place: see that nothing stands in its way.")

    def _try(self, action: Any) -> Any:
        try:
            return action()
        except Py4JJavaError as error:
            raise self._failure(error.java_exception.getClass().getSimpleName()) from error

    def _failure(self, kind: str) -> DeliveryError:
        return DeliveryError(
            f"The folder of {self.what} could not be written to ({kind}): see that it is a folder, may be "
            "written to and has room, then run the command again."
        )
