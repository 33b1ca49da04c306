"""What is known of people as numbers: levels, means that nobody's own value is in, and what is too rare to be kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession

from segmentation.clustering.attributes import attach_attributes, fit_attributes
from segmentation.clustering.coordinates import Level, LevelMean
from segmentation.clustering.preparation import Preparation, fit_preparation
from segmentation.config.clustering import AttributeEncoding, Transform
from segmentation.contracts.errors import MissingColumnsError

COUNTRIES = ["NL"] * 500 + ["DE"] * 300 + ["BE"] * 150 + ["it's \\ odd"] * 30 + ["LU"] * 5 + [None] * 15  # type: ignore[list-item]
MEANS = {"NL": 10.0, "DE": 20.0, "BE": 40.0}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(3)
    spend = [MEANS.get(country, 15.0) + random.normal(0, 5) for country in COUNTRIES]
    shuffled = random.permutation(len(COUNTRIES))
    return pd.DataFrame(
        {
            "person_id": [f"p{n:04d}" for n in range(len(COUNTRIES))],
            "spend": spend,
            "attribute_country": COUNTRIES,
            "half": shuffled,
        }
    )


@pytest.fixture(scope="module")
def sample(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(
        rows, "person_id string, spend double, attribute_country string, half long"
    ).localCheckpoint()


def encode(sample: DataFrame, **how: object) -> tuple[tuple[Level | LevelMean, ...], tuple[str, ...]]:
    encoding = AttributeEncoding.model_validate(how)
    return fit_attributes(sample, {"country": encoding}, Transform())


def values(sample: DataFrame, preparation: Preparation, fitting: bool = False) -> pd.DataFrame:
    return PipelineModel(preparation.transformers(fitting)).transform(sample).toPandas().set_index("person_id")


def prepare(sample: DataFrame, **how: object) -> Preparation:
    encoding = AttributeEncoding.model_validate(how)
    return fit_preparation(sample, ["spend"], Transform(winsorise=0), attributes={"country": encoding})


def test_attributes_are_put_beside_the_people_who_have_them(spark: SparkSession) -> None:
    people = spark.createDataFrame([("a", 1.0), ("b", 2.0), ("c", 3.0)], "person_id string, x double")
    known = spark.createDataFrame(
        [("a", {"country": "NL"}), ("b", {"plan": "pro"})], "person_id string, attributes map<string,string>"
    )
    found = attach_attributes(people, known, ["plan", "country"])
    assert sorted(map(tuple, found.collect()), key=str) == [
        ("a", 1.0, "NL", None),
        ("b", 2.0, None, "pro"),
        ("c", 3.0, None, None),
    ]
    assert found.columns == ["person_id", "x", "attribute_country", "attribute_plan"]
    assert attach_attributes(people, known, []) is people
    with pytest.raises(MissingColumnsError, match="'attributes'"):
        attach_attributes(people, known.drop("attributes"), ["plan"])


def test_common_values_are_a_coordinate_each_and_the_rest_are_where_all_are_zero(
    sample: DataFrame, rows: pd.DataFrame
) -> None:
    found = values(sample, prepare(sample, rare_below=0.1))
    shares = np.array([0.5, 0.3, 0.15])
    unit = np.sqrt((shares * (1 - shares)).sum())
    levels = [found[f"prepared_attribute_country_{number}"].to_numpy() for number in (1, 2, 3)]
    for value, coordinate in zip(("NL", "DE", "BE"), levels, strict=True):
        assert coordinate == pytest.approx((rows["attribute_country"] == value) / unit)
    assert sum(level.var() for level in levels) == pytest.approx(1), "as much as a feature of deviation 1"
    assert set(found.loc[rows["attribute_country"].isna().to_numpy(), "prepared_attribute_country_1"]) == {0}


def test_a_value_is_text_whatever_is_in_it_and_never_of_few_people(sample: DataFrame) -> None:
    made, dropped = encode(sample, rare_below=0)
    assert [level.value for level in made if isinstance(level, Level)] == ["NL", "DE", "BE", "it's \\ odd"]
    assert dropped == ()
    found = values(sample, prepare(sample, rare_below=0))
    assert (found["prepared_attribute_country_4"] > 0).sum() == 30


def test_without_a_rest_the_rarest_value_needs_no_coordinate(sample: DataFrame) -> None:
    known = sample.where("attribute_country IN ('NL', 'DE', 'BE')")
    assert [level.value for level in encode(known)[0] if isinstance(level, Level)] == ["NL", "DE"]
    made, dropped = encode(sample.where("attribute_country = 'NL'"))
    assert (made, dropped) == ((), ("country: next to all people have the same value",))


def test_on_a_range_scale_a_level_is_zero_or_one(sample: DataFrame) -> None:
    encoding = {"country": AttributeEncoding(rare_below=0.1)}
    made, _ = fit_attributes(sample, encoding, Transform(scale="range"))
    assert [level.unit for level in made] == [1.0, 1.0, 1.0]


def test_means_are_smoothed_and_of_people_who_are_fitted_on_their_own_value_is_not_in(
    sample: DataFrame, rows: pd.DataFrame
) -> None:
    preparation = prepare(sample, encode="target", target="spend", smoothing=20)
    (mean,) = preparation.attributes
    assert isinstance(mean, LevelMean)
    everyone = rows["spend"].mean()
    sums = rows.groupby("attribute_country")["spend"].agg(["sum", "count"])
    smoothed = (sums["sum"] + 20 * everyone) / (sums["count"] + 20)
    assert mean.means == pytest.approx({c: smoothed[c] for c in ("NL", "DE", "BE", "it's \\ odd")})
    told = values(sample, preparation)["prepared_attribute_country"].map(mean.original).to_numpy()
    expected = [smoothed[c] if c in mean.means else everyone for c in COUNTRIES]
    assert told == pytest.approx(expected)

    fitting = values(sample, preparation, fitting=True)["prepared_attribute_country"].map(mean.original)
    who = rows.index[rows["attribute_country"] == "BE"][0]
    others = rows[rows["half"] % 5 != rows.loc[who, "half"] % 5]
    same = others[others["attribute_country"] == "BE"]["spend"]
    assert fitting.iloc[who] == pytest.approx((same.sum() + 20 * others["spend"].mean()) / (len(same) + 20))


def test_means_of_values_that_say_nothing_are_left_out(spark: SparkSession) -> None:
    """Of 25 people a value: with their own in it, the mean would be a 25th of what they spent."""
    random = np.random.default_rng(5)
    rows = [(f"p{n}", float(random.normal()), f"c{n // 25}", n) for n in range(4000)]
    sample = spark.createDataFrame(rows, "person_id string, spend double, attribute_country string, half long")
    says_nothing = ((), ("country: people with the same value have no more in common than by chance",))
    assert encode(sample.localCheckpoint(), encode="target", target="spend", smoothing=0) == says_nothing
    # Nor do all of one value, among whom only leaving out a fold makes a difference.
    alike = sample.where("attribute_country = 'c7'").union(sample.where("attribute_country = 'c7'"))
    assert encode(alike, encode="target", target="spend") == says_nothing


def test_a_centre_says_what_share_of_its_people_have_a_value(sample: DataFrame) -> None:
    preparation = prepare(sample, rare_below=0.1)
    middle = [0.0] + [0.25 / level.unit for level in preparation.attributes]
    told = preparation.original(middle)
    assert {name: round(value, 6) for name, value in told.items() if "=" in name} == {
        "country=NL": 0.25,
        "country=DE": 0.25,
        "country=BE": 0.25,
    }
