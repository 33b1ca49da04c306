# Databricks notebook source
# MAGIC %md
# MAGIC # 3 · Who is who
# MAGIC
# MAGIC Looking into the identity graph: which identifiers are one person, why, and where the guards cut what would have
# MAGIC made one person of many. Values of personal types are tokens here as everywhere.

# COMMAND ----------

from pyspark.sql import functions as F

from segmentation import open_warehouse
from segmentation.api import links_chart, show

shop = open_warehouse()

# COMMAND ----------

# MAGIC %md
# MAGIC ## In numbers

# COMMAND ----------

identity = shop.identity()
identifiers = sum(identity.identifiers.values())
print(f"{identifiers:,} identifiers are {identity.people:,} people.")
show(
    shop.table("persons").groupBy("identifier_count").agg(F.count("*").alias("people")).orderBy("identifier_count"),
    "People by identifiers",
)
show(
    shop.table("identity_edges")
    .groupBy("status", "reason")
    .agg(F.count("*").alias("links"))
    .orderBy(F.desc("links")),
    "Links by what became of them",
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## One person
# MAGIC
# MAGIC The person with the most identifiers is where a wrong merge would be seen first. Each line is a pair of
# MAGIC identifiers that came in one event; dashed ones were cut. `shop.person(email="…")` finds the person of a
# MAGIC complaint.

# COMMAND ----------

largest = shop.table("persons").orderBy(F.desc("identifier_count"), "person_id").first()["person_id"]
story = shop.person(largest)
show(links_chart(story.links), "The links of one person")
show(story.links.drop("first_batch_seq", "sources"), "The same as a table")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Their history
# MAGIC
# MAGIC Which person each identifier was, and since when. A `merge` is the batch that told us that two were one; a
# MAGIC `split` took one away again. Nothing is overwritten, so yesterday's truth can still be asked for.

# COMMAND ----------

show(story.history, "Whose the identifiers were")
show(story.events.select("event_ts", "event_name", "source", "identifiers"), "What they did", rows=10)
show(story.segments, "Where they were")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Check
# MAGIC
# MAGIC Each identifier is one person's, all of the identifiers are somebody's, and no one has more of a kind than the
# MAGIC configuration allows.

# COMMAND ----------

owners = shop.table("identity_map")
held = owners.groupBy("person_id", "identifier_type").count()
for kind, most in shop.settings.identity.limits.items():
    assert held.where((F.col("identifier_type") == kind) & (F.col("count") > most)).isEmpty()
assert owners.select("identifier_type", "identifier_value").distinct().count() == owners.count() == identifiers
assert owners.select("person_id").distinct().count() == shop.table("persons").count() == identity.people
