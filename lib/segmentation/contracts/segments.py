"""Tables of models, versions, segments and their profiles."""

from segmentation.contracts.table import (
    BOOLEAN,
    DATE,
    DOUBLE,
    DOUBLE_MAP,
    LONG,
    LONG_MAP,
    STRING,
    STRING_MAP,
    STRINGS,
    TIMESTAMP,
    Col,
    Table,
)

MODELS = Table(
    name="models",
    grain="one fitted model",
    keys=("model_id",),
    columns=(
        Col("model_id", STRING, "hash of what the model was fitted from", required=True),
        Col("algorithm", STRING, "bisecting_kmeans, gaussian_mixture, kmeans", required=True),
        Col("k", LONG, "number of clusters", required=True),
        Col("features", STRINGS, "the columns it takes, in order", required=True),
        Col("params", STRING_MAP, "settings of the fit and of the preparation", required=True),
        Col("metrics", DOUBLE_MAP, "figures of the chosen candidate", required=True),
        Col("trained_as_of", DATE, "date of the features it was fitted on", required=True),
        Col("path", STRING, "where the fitted pipeline is, relative to the warehouse", required=True),
        Col("candidates", STRING, "JSON: every candidate with its figures"),
        Col("choice", STRING, "why this candidate, in words"),
        Col("clusters", STRING, "JSON: each cluster's number, its centre in the features' units, its size"),
        Col("comparisons", STRING, "JSON: what other methods find in a sample of the people, beside the choice"),
        Col("fit_number", LONG, "1, 2, 3, … in the order of fitting: the newest scores", required=True),
    ),
)

SEGMENT_VERSIONS = Table(
    name="segment_versions",
    grain="one version",
    keys=("segment_version",),
    unindexed=("person_id",),
    columns=(
        Col("segment_version", LONG, "1, 2, 3, …", required=True),
        Col("as_of", DATE, "date of the features that were scored", required=True),
        Col("model_id", STRING, "the model that scored", required=True),
        Col("status", STRING, "candidate, published, rejected, retired, shadow", required=True),
        Col("inputs", LONG_MAP, "table -> Delta version read", required=True),
        Col("metrics", DOUBLE_MAP, "figures that the gates judge", required=True),
        Col("created_ts", TIMESTAMP, "when it was assigned, UTC", required=True),
        Col("published_ts", TIMESTAMP, "when it became current, UTC"),
        Col("reason", STRING, "why it was rejected, rolled back, retired or accepted in spite of a gate"),
        Col("config_sha256", STRING, "hash of the configuration", required=True),
        Col("code_version", STRING, "version of the suite", required=True),
        Col("compared_with", LONG, "the version that was published when it was assigned; null: none was"),
        Col("fingerprint", STRING, "hash of all that decides who is in which segment", required=True),
        Col("continuity", STRING, "JSON: each cluster's segment; segments carried on, born, died, split, merged"),
        Col("retired_ts", TIMESTAMP, "when it was taken out of use for good, UTC; null: it was not"),
        Col("about", STRING_MAP, "figure -> what it is about: a segment's name, a feature, a value of an attribute"),
        Col("limits", DOUBLE_MAP, "check -> its limit when gates judged the version last; null: they have not yet"),
    ),
)

_MEMBERSHIP = (
    Col("segment_version", LONG, "the version", required=True),
    Col("person_id", STRING, "who", required=True),
    Col("segment_id", STRING, "the segment: means the same for ever", required=True),
    Col("segment_name", STRING, "its name for people", required=True),
    Col("probability", DOUBLE, "of belonging to it, where the model gives one"),
    Col("margin", DOUBLE, "how far the next nearest segment is: 0 (ambiguous) to 1"),
    Col("nearest_segment_id", STRING, "that next nearest segment; null where the model alone did not place the person"),
    Col("ambiguous", BOOLEAN, "whether the margin is below `segments.ambiguous_margin`"),
    Col("method", STRING, "model, rule, fallback, outlier", required=True),
    Col("rule", STRING, "the rule of `segments.rules` that decided; null: none did"),
    Col("model_segment_id", STRING, "where the model alone would have the person: a segment, or the fallback"),
)

SEGMENTS = Table(
    name="segments",
    grain="one person in one version",
    keys=("segment_version", "person_id"),
    partition_by=("segment_version",),
    unindexed=("person_id",),
    columns=_MEMBERSHIP,
)

SEGMENTS_CURRENT = Table(
    name="segments_current",
    grain="one person, now: the published version",
    keys=("person_id",),
    unindexed=("person_id",),
    columns=_MEMBERSHIP,
)

SEGMENT_CHANGES = Table(
    name="segment_changes",
    grain="one person who moved",
    keys=("segment_version", "person_id"),
    partition_by=("segment_version",),
    unindexed=("person_id",),
    columns=(
        Col(
            "segment_version",
            LONG,
            "the version in which the person is elsewhere than in the published one before",
        ),
        Col("person_id", STRING, "who", required=True),
        Col("from_segment_id", STRING, "null: was not there"),
        Col("to_segment_id", STRING, "null: is not there any more"),
        Col("cause", STRING, "new, left, behaviour, late_data, identity, refit, rule", required=True),
    ),
)

SEGMENT_PROFILES = Table(
    name="segment_profiles",
    grain="one segment in one version",
    keys=("segment_version", "segment_id"),
    partition_by=("segment_version",),
    columns=(
        Col("segment_version", LONG, "the version", required=True),
        Col("segment_id", STRING, "the segment", required=True),
        Col("segment_name", STRING, "its name for people", required=True),
        Col("description", STRING, "one sentence on what sets it apart", required=True),
        Col("size", LONG, "people in it", required=True),
        Col("share", DOUBLE, "of all people scored, 0 to 1", required=True),
        Col("rules", STRING, "JSON: a few conditions that tell its people from the others"),
        Col("statistics", STRING, "JSON: per feature the mean, median, effect size against everyone"),
        Col("revenue", DOUBLE, "sum of its people's amounts over the feature window"),
        Col("revenue_share", DOUBLE, "of everyone's, 0 to 1"),
        Col("better_name", STRING, "what it would be called now; null while the name in use is true, or was given"),
    ),
)

TABLES = (
    MODELS,
    SEGMENT_VERSIONS,
    SEGMENTS,
    SEGMENTS_CURRENT,
    SEGMENT_CHANGES,
    SEGMENT_PROFILES,
)
