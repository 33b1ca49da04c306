"""The same work as people do it on one machine without Spark, each written as its users would write it.

Every function reads Parquet and writes Parquet, and imports what it needs itself: only its own process pays for it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from scripts.benchmarks import AS_OF, THREADS

CLUSTERS = 8
"""As many as there are kinds of people."""
FEWEST, MOST = 2, 12
"""Clusters, where the best number of them is searched for."""
_JUDGED_BY = 5_000
"""People whom a silhouette is taken of: that of everyone grows with their square."""
ITERATIONS = 20
SEED = 17

_SESSIONS = """
COPY (
  WITH marked AS (
    SELECT *,
      CASE WHEN event_ts - lag(event_ts) OVER w < INTERVAL 30 MINUTE THEN 0 ELSE 1 END AS starts
    FROM read_parquet('{source}/*.parquet')
    WINDOW w AS (PARTITION BY person_id ORDER BY event_ts, event_id)
  ), numbered AS (
    SELECT *, sum(starts) OVER (PARTITION BY person_id ORDER BY event_ts, event_id ROWS UNBOUNDED PRECEDING) AS session
    FROM marked
  )
  SELECT
    sha256('session:' || arg_min(event_id, event_ts))[:32] AS session_id,
    person_id,
    min(event_ts) AS session_start,
    max(event_ts) AS session_end,
    date_diff('second', min(event_ts), max(event_ts)) AS duration_s,
    count(*) AS events,
    arg_min(event_name, event_ts) AS entry_event,
    arg_max(event_name, event_ts) AS exit_event,
    sum(amount) AS amount,
    any_value(platform) AS platform,
    count(*) = 1 AS is_bounce,
    list(event_name ORDER BY event_ts, event_id)[:20] AS path,
    histogram(event_name) AS event_counts
  FROM numbered
  GROUP BY person_id, session
) TO '{target}/part.parquet'
"""

_FEATURES = """
COPY (
  SELECT
    person_id,
    date_diff('day', coalesce(max(event_date) FILTER (bought), max(event_date)), DATE '{as_of}') AS recency,
    count(DISTINCT event_ts) FILTER (bought) AS frequency,
    coalesce(sum(amount) FILTER (bought), 0) AS monetary,
    coalesce(sum(amount) FILTER (bought) / count(DISTINCT event_ts) FILTER (bought), 0) AS average_basket_value,
    date_diff('day', min(event_date), DATE '{as_of}') AS tenure,
    count(DISTINCT event_date) FILTER (bought) AS purchase_days,
    count(DISTINCT event_date) AS days_active,
    count(*) AS events
  FROM (SELECT *, event_name = 'purchase' AS bought FROM read_parquet('{source}/*.parquet'))
  GROUP BY person_id
) TO '{target}/part.parquet'
"""

_DELIVERY = """
COPY (
  SELECT now.person_id, now.segment_id, now.segment_name
  FROM read_parquet('{source}/after/*.parquet') now LEFT JOIN read_parquet('{source}/before/*.parquet') was
    USING (person_id)
  WHERE was.person_id IS NULL OR (was.segment_id, was.segment_name) <> (now.segment_id, now.segment_name)
  ORDER BY person_id
) TO '{target}/changes.csv' (HEADER);
COPY (
  SELECT was.person_id
  FROM read_parquet('{source}/before/*.parquet') was ANTI JOIN read_parquet('{source}/after/*.parquet') now
    USING (person_id)
  ORDER BY was.person_id
) TO '{target}/changes-removed.csv' (HEADER)
"""


def duckdb_sessions(source: Path, target: Path) -> None:
    """Lag, running sum, group by."""
    _duckdb(_SESSIONS, source, target)


def duckdb_features(source: Path, target: Path) -> None:
    """One group by."""
    _duckdb(_FEATURES, source, target, as_of=AS_OF)


def duckdb_delivery(source: Path, target: Path) -> None:
    """A join of what was and what is, and two sorted files."""
    _duckdb(_DELIVERY, source, target)


def scipy_components(source: Path, target: Path) -> None:
    """`scipy.sparse.csgraph.connected_components` over numbered nodes."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = pq.read_table(source)
    left, right = edges["left_node"].to_numpy(), edges["right_node"].to_numpy()
    nodes, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    graph = coo_array((np.ones(len(left), dtype=np.int8), np.split(places, 2)), shape=(len(nodes), len(nodes)))
    _, label = connected_components(graph, directed=False)
    target.mkdir()
    pq.write_table(pa.table({"node": nodes, "component": label}), target / "part.parquet")


def sklearn_bisecting(source: Path, target: Path) -> None:
    """scikit-learn's `BisectingKMeans`."""
    from sklearn.cluster import BisectingKMeans

    _sklearn(BisectingKMeans(n_clusters=CLUSTERS, random_state=SEED), source, target)


def sklearn_mixture(source: Path, target: Path) -> None:
    """scikit-learn's `GaussianMixture`."""
    from sklearn.mixture import GaussianMixture

    _sklearn(GaussianMixture(n_components=CLUSTERS, max_iter=ITERATIONS, random_state=SEED), source, target)


def sklearn_search(source: Path, target: Path) -> None:
    """The loop over methods and k that its manual shows, with the silhouette of a sample."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sklearn.cluster import BisectingKMeans, KMeans
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
    from sklearn.mixture import GaussianMixture
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    warnings.simplefilter("ignore", ConvergenceWarning)
    people = pq.read_table(source).to_pandas()
    best, chosen = -1.0, None
    with threadpool_limits(THREADS):
        points = StandardScaler().fit_transform(people.drop(columns="person_id").to_numpy())
        for k in range(FEWEST, MOST + 1):
            for model in (
                BisectingKMeans(n_clusters=k, random_state=SEED),
                GaussianMixture(n_components=k, max_iter=ITERATIONS, random_state=SEED),
                KMeans(n_clusters=k, max_iter=ITERATIONS, random_state=SEED),
            ):
                labels = model.fit_predict(points)
                calinski_harabasz_score(points, labels)
                davies_bouldin_score(points, labels)
                sampled = min(_JUDGED_BY, len(points))
                score = silhouette_score(points, labels, sample_size=sampled, random_state=SEED)
                if score > best:
                    best, chosen = score, labels
    target.mkdir()
    pq.write_table(pa.table({"person_id": people["person_id"], "cluster": chosen}), target / "part.parquet")


def silhouette(source: Path, result: Path) -> float:
    """Of clusters that were found, over a sample of the people, who are as far apart as their standardised features."""
    import numpy as np
    import pyarrow.parquet as pq
    from sklearn.metrics import silhouette_score
    from sklearn.preprocessing import StandardScaler

    found = pq.read_table(source).join(pq.read_table(result), "person_id").sort_by("person_id")
    labels = found["cluster"].to_numpy()
    points = StandardScaler().fit_transform(np.array(found.drop_columns(["person_id", "cluster"])))
    sampled = min(_JUDGED_BY, len(points))
    return float(silhouette_score(points, labels, sample_size=sampled, random_state=SEED))


def _duckdb(query: str, source: Path, target: Path, **values: Any) -> None:
    import duckdb

    target.mkdir()
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(query.format(source=source, target=target, **values))


def _sklearn(model: Any, source: Path, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # The same number of passes as ours, whether or not it has settled by then.
    warnings.simplefilter("ignore", ConvergenceWarning)
    people = pq.read_table(source).to_pandas()
    with threadpool_limits(THREADS):
        cluster = model.fit_predict(people.drop(columns="person_id").to_numpy())
    target.mkdir()
    pq.write_table(pa.table({"person_id": people["person_id"], "cluster": cluster}), target / "part.parquet")
