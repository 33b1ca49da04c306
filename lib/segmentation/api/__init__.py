"""The suite from Python: what a notebook, or another program, reads and runs without the command line.

The configuration is the one that `SEGMENTATION_CONFIG` names, or is given: `open_warehouse("conf/my.yml")`.

>>> from segmentation import open_warehouse
>>> shop = open_warehouse()

Everything that a command does can be called; what is done is not done again:

>>> reports = shop.run("ingest", "identity", "sessions", "features")
>>> [report.stage for report in reports]
['ingest', 'identity', 'sessions', 'features']

Tables are Spark's DataFrames, as they are now or as a version of the segments saw them:

>>> bounces = shop.table("sessions").where("is_bounce").count()
>>> then = shop.table("features", at=1)

Versions go by number, or by date; without either it is the published one:

>>> shop.version(1).status
'retired'
>>> shop.version("2026-03-31") == shop.version()
True
>>> members = shop.segments().select("person_id", "segment_name")
>>> for profile in shop.profiles():
...     name, share = profile.name, profile.share

One person's story, by id or by any identifier (a personal one is looked up by its token):

>>> story = shop.person(user_id="u0")
>>> names = [row["segment_name"] for row in story.segments.collect()]

Who a rule means, in the words of `audiences[].who`, where each condition loses people, and who they are:

>>> rule = {"all": [{"feature": "frequency", "at_least": 2}, {"feature": "recency", "at_most": 14}]}
>>> found = shop.audience(rule)
>>> found.members == shop.members(rule).count()
True

What ran, and how each stage went:

>>> newest = shop.runs()[0]
>>> newest.status
'succeeded'

`simulate("world")` writes a world whose truth is known, and `score("world/truth")` says how near a warehouse that was
made from it comes.

What changed between two versions:

>>> change = shop.compare(before=1, after=2)
>>> change.moved + change.stayed + change.new == sum(profile.size for profile in shop.profiles(2))
True
"""

from segmentation.api.pictures import (
    candidates_chart,
    features_chart,
    flows_chart,
    funnel_chart,
    lift_chart,
    links_chart,
    months_chart,
    sizes_chart,
)
from segmentation.api.showing import show
from segmentation.api.story import Story
from segmentation.api.suite import Segmentation, open_warehouse, simulate

__all__ = [
    "Segmentation",
    "Story",
    "candidates_chart",
    "features_chart",
    "flows_chart",
    "funnel_chart",
    "lift_chart",
    "links_chart",
    "months_chart",
    "open_warehouse",
    "show",
    "simulate",
    "sizes_chart",
]
