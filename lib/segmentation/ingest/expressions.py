"""Mapping expressions: Spark SQL over one row of a source, and nothing beyond it.

The parsed tree is walked before anything is analysed or run. What passes is an allow-list: syntax that only combines
values of the row, and functions of Spark's own registry that compute a value from values. So no expression can run
Java (`reflect`), read a file (a subquery over ``text.`/path` ``), look at other rows (aggregates, windows), make rows
(generators), or give another result tomorrow (clock, random numbers, ids of tasks).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from segmentation.ingest.dialect import jvm


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GROUPS = _words(
    "array bitwise collection conditional conversion csv datetime hash json lambda map math predicate string "
    "struct url variant"
)
"""Groups of Spark's function registry (`array_funcs`, …) whose functions compute a value from values."""

_NOT_OF_THE_ROW = _words(
    "curdate current_date current_time current_timestamp current_timezone localtimestamp now rand randn random "
    "randstr uniform shuffle session_window window window_time json_tuple schema_of_variant_agg"
)
"""Functions of these groups that read the clock or chance, or look beyond the row."""

_KEYWORDS = _words("current_date current_time current_timestamp localtimestamp current_user session_user user")
"""Names that Spark takes as function calls without brackets."""

_SYNTAX = _words(
    "UnresolvedFunction UnresolvedAttribute UnresolvedExtractValue LambdaFunction "
    "UnresolvedNamedLambdaVariable Literal Cast Collate UnresolvedCollation CaseWhen Concat CreateNamedStruct "
    "Substring StringTrim StringTrimLeft StringTrimRight StringTrimBoth StringLocate Overlay Extract Add "
    "Subtract Multiply Divide IntegralDivide Remainder UnaryMinus UnaryPositive BitwiseAnd BitwiseOr "
    "BitwiseXor BitwiseNot And Or Not EqualTo EqualNullSafe GreaterThan GreaterThanOrEqual LessThan "
    "LessThanOrEqual In IsNull IsNotNull Like ILike LikeAll LikeAny NotLikeAll NotLikeAny RLike TimestampAdd "
    "TimestampDiff"
)
"""Nodes that the parser makes of operators and special forms which combine values."""

_EXPLAINED = {
    "ScalarSubquery": "holds a subquery",
    "Exists": "holds a subquery",
    "InSubquery": "holds a subquery",
    "ListQuery": "holds a subquery",
    "WindowExpression": "looks at other rows (OVER)",
    "AggregateExpression": "looks at other rows (an aggregate)",
    "Alias": "names its result (AS); the key already does",
    "UnresolvedStar": "takes all columns (*)",
}

_NULL_PROPAGATING = _words(
    "Cast Literal UnresolvedAttribute UnresolvedExtractValue Add Subtract Multiply Divide UnaryMinus "
    "UnaryPositive Concat Substring StringTrim StringTrimLeft StringTrimRight StringTrimBoth"
)
_NULL_PROPAGATING_FUNCTIONS = _words(
    "abs bigint btrim bround cast ceil ceiling concat date decimal double float floor from_utc_timestamp int "
    "lower ltrim make_timestamp negative positive regexp_replace replace round rtrim smallint string substr "
    "substring timestamp timestamp_micros timestamp_millis timestamp_seconds tinyint to_date to_number "
    "to_timestamp to_timestamp_ltz to_timestamp_ntz to_utc_timestamp trim try_add try_divide try_multiply "
    "try_subtract try_to_date try_to_number try_to_timestamp upper"
)
_HANDING_ON = _words("Cast UnresolvedAttribute StringTrim")
_HANDING_ON_FUNCTIONS = _words("string trim btrim ltrim rtrim lower upper")


@dataclass(frozen=True)
class Expression:
    """A mapping expression that may be run."""

    text: str
    columns: tuple[str, ...]
    """The source's columns that it names, as the source spells them."""
    null_propagating: bool
    """Null only where one of its columns is null, or a value did not convert: no branch that chooses null."""
    hands_on: bool
    """Gives a column's value as it is, apart from type, white space and case."""


class Refused(Exception):  # noqa: N818 - becomes a Problem, never leaves this room
    """Why an expression may not be run."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def parse(spark: SparkSession, text: str, columns: Sequence[str] | None) -> Expression:
    """The expression, checked against the source's `columns` (None: they are not known yet). Raises `Refused`."""
    nodes = _nodes(spark, text)
    functions = [_parts(node)[-1].lower() for node in nodes if node["class"] == "UnresolvedFunction"]
    kinds = {node["class"] for node in nodes}
    for node in nodes:
        _check_node(spark, node, columns)
    return Expression(
        text=text,
        columns=() if columns is None else _named(nodes, columns),
        null_propagating=kinds <= _NULL_PROPAGATING | {"UnresolvedFunction"}
        and set(functions) <= _NULL_PROPAGATING_FUNCTIONS,
        hands_on=kinds <= _HANDING_ON | {"UnresolvedFunction"} and set(functions) <= _HANDING_ON_FUNCTIONS,
    )


def _nodes(spark: SparkSession, text: str) -> list[dict[str, object]]:
    """The nodes of the parsed tree, in one call to the JVM."""
    session = spark._jsparkSession
    try:
        tree = session.sessionState().sqlParser().parseExpression(text)
    except PySparkException as error:
        said = (error.getMessageParameters() or {}).get("error", "syntax error").strip("'")
        raise Refused(f"is not a Spark SQL expression (near {said})") from None
    nodes: list[dict[str, object]] = json.loads(tree.toJSON())
    for node in nodes:
        node["class"] = str(node["class"]).rpartition(".")[2].rstrip("$")
    _tell_columns_from_variables(nodes, 0, frozenset())
    return nodes


def _tell_columns_from_variables(nodes: list[dict[str, object]], position: int, bound: frozenset[str]) -> int:
    """Inside `x -> …` the parser takes every name for a variable: those that no lambda binds are columns.

    The nodes stand in the order in which one meets them going down; the position after the subtree is returned.
    """
    node = nodes[position]
    children = int(str(node["num-children"]))
    if node["class"] == "LambdaFunction":
        # Its body comes first, then the variables that it binds, each without children.
        variables = _subtree_end(nodes, position + 1)
        bound |= {_parts(variable)[0].lower() for variable in nodes[variables : variables + children - 1]}
    elif node["class"] == "UnresolvedNamedLambdaVariable" and _parts(node)[0].lower() not in bound:
        node["class"] = "UnresolvedAttribute"
    after = position + 1
    for _ in range(children):
        after = _tell_columns_from_variables(nodes, after, bound)
    return after


def _subtree_end(nodes: list[dict[str, object]], position: int) -> int:
    after = position + 1
    for _ in range(int(str(nodes[position]["num-children"]))):
        after = _subtree_end(nodes, after)
    return after


def _check_node(spark: SparkSession, node: dict[str, object], columns: Sequence[str] | None) -> None:
    kind = str(node["class"])
    if kind == "UnresolvedFunction":
        _check_function(spark, node)
    elif kind == "UnresolvedAttribute":
        _check_column(node, columns)
    elif kind not in _SYNTAX:
        what = _EXPLAINED.get(kind, f"is more than a value of the row ({kind})")
        raise Refused(f"{what}: only columns, values and functions of them may stand here")


def _check_function(spark: SparkSession, node: dict[str, object]) -> None:
    name = ".".join(_parts(node)).lower()
    allowed, known = _functions(spark)
    if name in allowed and not node.get("isDistinct"):
        if name == "unix_timestamp" and node["num-children"] == 0:
            raise Refused("calls unix_timestamp() without a column, which reads the clock")
        return
    if name in _NOT_OF_THE_ROW | _KEYWORDS | {"uuid"}:
        raise Refused(f"calls {name}(), whose result does not depend on the row alone")
    if name in known:
        raise Refused(f"calls {name}(), which reaches beyond the row and is not allowed here")
    near = next(iter(get_close_matches(name, allowed, 1)), None)
    raise Refused(f"calls {name}(), which is no function of Spark", near)


def _functions(spark: SparkSession) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the functions that may be called, and of all that Spark has."""
    found = _FUNCTIONS.get(spark.version)
    if found is None:
        registry = jvm(spark).org.apache.spark.sql.catalyst.analysis.FunctionRegistry.builtin()
        identifiers = registry.listFunction().iterator()
        groups: dict[str, str] = {}
        while identifiers.hasNext():
            identifier = identifiers.next()
            groups[str(identifier.funcName())] = str(registry.lookupFunction(identifier).get().getGroup())
        of_values = {name for name, group in groups.items() if group.removesuffix("_funcs") in _GROUPS}
        found = _FUNCTIONS[spark.version] = frozenset(of_values - _NOT_OF_THE_ROW), frozenset(groups)
    return found


_FUNCTIONS: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
"""By version of Spark: asking takes a second, and the answer never changes."""


def _check_column(node: dict[str, object], columns: Sequence[str] | None) -> None:
    name = _parts(node)[0]
    if columns is None or _find(node, columns) is not None:
        return
    if name.lower() in _KEYWORDS:
        raise Refused(f"reads {name}, whose result does not depend on the row alone")
    near = {column.lower(): column for column in columns}
    found = next(iter(get_close_matches(name.lower(), near, 1)), None)
    raise Refused(f"the source has no column '{name}'", near[found] if found else None)


def _named(nodes: list[dict[str, object]], columns: Sequence[str]) -> tuple[str, ...]:
    found = [_find(node, columns) for node in nodes if node["class"] == "UnresolvedAttribute"]
    return tuple(dict.fromkeys(column for column in found if column is not None))


def _find(node: dict[str, object], columns: Sequence[str]) -> str | None:
    """The source's column that an attribute starts from; Spark does not tell upper from lower case."""
    known = {column.lower(): column for column in columns}
    whole = str(node["nameParts"])[1:-1].lower()
    return known.get(whole) or known.get(_parts(node)[0].lower())


def _parts(node: dict[str, object]) -> list[str]:
    return str(node["nameParts"])[1:-1].split(", ")
