# Databricks notebook source
# MAGIC %md
# MAGIC # 1 · First segments
# MAGIC
# MAGIC From events to people in named segments. The configuration is the one that the environment variable
# MAGIC `SEGMENTATION_CONFIG` names; what is done already is not done again.

# COMMAND ----------

from segmentation import open_warehouse
from segmentation.api import months_chart, show, sizes_chart

shop = open_warehouse()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Events
# MAGIC
# MAGIC Whatever the sources look like, `events` has one row for each thing that happened: when, what, and by which
# MAGIC identifiers. Rows that could not be read are kept with the reason.

# COMMAND ----------

shop.run("ingest")
events = shop.table("events")
show(events.groupBy("source", "event_name").count().orderBy("source", "event_name"), "What was taken in")
show(
    shop.table("events_quarantine")
    .selectExpr("source", "explode(reasons) AS reason")
    .groupBy("source", "reason")
    .count(),
    "What was refused",
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## People and their visits
# MAGIC
# MAGIC Identifiers that were seen together become one person (notebook 3 looks into that), and each person's events are
# MAGIC cut into visits.

# COMMAND ----------

shop.run("identity", "sessions")
show(
    shop.table("sessions").selectExpr(
        "count(*) AS visits",
        "count(DISTINCT person_id) AS people",
        "avg(duration_s) / 60 AS minutes",
        "avg(events) AS events",
        "avg(CAST(is_bounce AS DOUBLE)) AS bounces",
    ),
    "Visits",
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Features, model, segments
# MAGIC
# MAGIC Features say of each person what sets people apart. `train` tries several models and chooses one (notebook 2),
# MAGIC `assign` places everyone, and `publish` lets the result through its gates. Until then readers see what they saw
# MAGIC before.

# COMMAND ----------

for report in shop.run("features", "train", "assign", "publish"):
    print(report.line())

# COMMAND ----------

version = shop.version()
show(months_chart(shop.activity()), "Events by month")
show(sizes_chart(shop.profiles()), "People by segment")

# COMMAND ----------

for profile in shop.profiles():
    print(f"{profile.name}: {profile.description}")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Check
# MAGIC
# MAGIC Everyone with features is in exactly one segment, and every segment has a name of its own.

# COMMAND ----------

segments = shop.segments()
measured = shop.table("features", at=version.segment_version).where(f"as_of = DATE '{version.as_of}'").count()
names = [profile.name for profile in shop.profiles()]
assert segments.count() == segments.select("person_id").distinct().count() == measured
assert len(set(names)) == len(names) > 1
