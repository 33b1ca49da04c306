"""A table of a PostgreSQL database as a destination: each delivery is one transaction there.

Spark writes the rows into a table beside it, in parallel; then one transaction merges them, so a reader sees the
delivery before or the one after. A delivery that is made twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from segmentation.config.exports import PERSON_ID
from segmentation.config.servers import Database
from segmentation.contracts.errors import ConfigError, DeliveryError

_DRIVER = "org.postgresql.Driver"
_TYPES = {
    "person_id": "text PRIMARY KEY",
    "probability": "double precision",
    "margin": "double precision",
    "segment_version": "bigint",
    "as_of": "date",
}
"""What a column is there, where it is not plain text."""

_REASONS = {
    "08": "it cannot be reached: see that it is up, and that `url` is right",
    "28": "it refuses the login: see `user`, and the password",
    "3D": "there is no such database: see `url`",
    "3F": "there is no such schema: see `table`",
    "42501": "the user may not do that: let it create tables in the schema, and change this one",
    "53": "it has no room or memory left: make some",
}
"""Beginning of an SQLSTATE (PostgreSQL, appendix A) -> what to do."""


class DatabaseTable:
    """`password` is only held here; `what` goes into errors: `the export 'crm'`."""

    def __init__(self, spark: SparkSession, database: Database, password: str, what: str) -> None:
        self._spark, self._database, self._password, self._what = spark, database, password, what

    def bring_up_to_date(self, rows: DataFrame, removed: DataFrame | None, columns: Sequence[str]) -> None:
        """Makes the table have `rows`, in one transaction.

        `removed` (`person_id`): whom to take out; the others who are there stay. None: nobody else stays.
        Raises `DeliveryError`, and `ConfigError` where Spark was started without the driver.
        """
        table, beside = self._names()
        gone = F.lit(True).alias("gone")
        load = rows.select(*columns, F.lit(False).alias("gone"))
        if removed is not None:
            load = load.unionByName(removed.select(PERSON_ID, gone), allowMissingColumns=True)
        with self._connection() as (run, commit):
            run(f"DROP TABLE IF EXISTS {beside}")
            kinds = {column: _TYPES.get(column, "text") for column in columns}
            listed = ", ".join(f'"{column}" {kind}' for column, kind in kinds.items())
            run(f"CREATE TABLE {beside} ({listed}, gone boolean NOT NULL)")
            commit()
            self._write(load, beside)
            run(f"CREATE TABLE IF NOT EXISTS {table} ({listed})")
            for column, kind in kinds.items():
                run(f'ALTER TABLE {table} ADD COLUMN IF NOT EXISTS "{column}" {kind.removesuffix(" PRIMARY KEY")}')
            for statement in _merge(table, beside, columns, others_stay=removed is not None):
                run(statement)
            run(f"DROP TABLE {beside}")
            commit()

    def _names(self) -> tuple[str, str]:
        *schema, name = self._database.table.split(".")
        places = [".".join(f'"{part}"' for part in (*schema, last)) for last in (name, f"{name}__incoming")]
        return places[0], places[1]

    def _options(self) -> dict[str, str]:
        database = self._database
        return {"url": database.url, "driver": _DRIVER, "user": database.user, "password": self._password}

    def _write(self, rows: DataFrame, table: str) -> None:
        options = {**self._options(), "dbtable": table, "batchsize": "10000", "isolationLevel": "READ_COMMITTED"}
        rows.write.format("jdbc").options(**options).mode("append").save()

    @contextmanager
    def _connection(self) -> Iterator[tuple[Callable[[str], object], Callable[[], object]]]:
        """What runs a statement, and what commits; what is not committed in the end is not done."""
        jvm: Any = self._spark._jvm
        try:
            connection = _connect(jvm, self._options())
        except Py4JJavaError as error:
            raise self._failure(error) from None
        except (Py4JError, TypeError):
            raise ConfigError(
                f"Spark was started without the driver of PostgreSQL, which {self._what} needs: add "
                "org.postgresql:postgresql to --packages, or to `spark.packages`."
            ) from None
        try:
            connection.setAutoCommit(False)
            yield connection.createStatement().execute, connection.commit
        except (Py4JJavaError, PySparkException) as error:
            raise self._failure(error) from None
        finally:
            connection.close()

    def _failure(self, error: Exception) -> DeliveryError:
        state = _sql_state(error)
        why = next((text for begin, text in _REASONS.items() if state.startswith(begin)), None)
        said = why or f"it said SQLSTATE {state or 'unknown'}: look that up in its log"
        return DeliveryError(f"The database of {self._what} was not written to, since {said}; then run it again.")


def _connect(jvm: Any, options: dict[str, str]) -> Any:
    """A connection by the driver that Spark's own reader and writer would take."""
    driver = getattr(jvm, _DRIVER)()
    properties = jvm.java.util.Properties()
    for name in ("user", "password"):
        properties.setProperty(name, options[name])
    properties.setProperty("connectTimeout", "30")
    properties.setProperty("loginTimeout", "30")
    return driver.connect(options["url"], properties)


def _merge(table: str, beside: str, columns: Sequence[str], others_stay: bool) -> list[str]:
    """Statements that bring what differs from `beside` into `table`, and touch no other row."""
    names = ", ".join(f'"{column}"' for column in columns)
    others = [f'"{column}"' for column in columns if column != PERSON_ID]
    insert = f"INSERT INTO {table} AS t ({names}) SELECT {names} FROM {beside} WHERE NOT gone "
    insert += f"ON CONFLICT ({PERSON_ID}) "
    if others:
        here, there = (", ".join(f"{side}.{column}" for column in others) for side in ("t", "excluded"))
        sets = ", ".join(f"{column} = excluded.{column}" for column in others)
        insert += f"DO UPDATE SET {sets} WHERE ({here}) IS DISTINCT FROM ({there})"
    else:
        insert += "DO NOTHING"
    known = f"EXISTS (SELECT 1 FROM {beside} AS b WHERE b.{PERSON_ID} = t.{PERSON_ID}"
    delete = f"DELETE FROM {table} AS t WHERE " + (f"{known} AND b.gone)" if others_stay else f"NOT {known})")
    return [delete, insert]


def _sql_state(error: Exception) -> str:
    """The SQLSTATE of the innermost cause that has one; the messages may quote a row."""
    cause = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    state = ""
    while cause is not None:
        with suppress(Py4JError):
            state = cause.getSQLState() or state
        cause = cause.getCause()
    return state
