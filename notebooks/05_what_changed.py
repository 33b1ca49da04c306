# Databricks notebook source
# MAGIC %md
# MAGIC # 5 · What changed since last week
# MAGIC
# MAGIC Two versions side by side: who moved, from where to where, and why. Segments keep their meaning from version to
# MAGIC version, so a move is news of the person and not of the model.

# COMMAND ----------

from pyspark.sql import functions as F

from segmentation import open_warehouse
from segmentation.api import flows_chart, show

shop = open_warehouse()
show(
    shop.table("segment_versions")
    .select("segment_version", "as_of", "status", "published_ts", "reason")
    .orderBy("segment_version"),
    "Versions",
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who moved
# MAGIC
# MAGIC The published version against the one that was published when it was made. Others are compared by number or by
# MAGIC date: `shop.compare(before="2026-03-24", after="2026-03-31")`.

# COMMAND ----------

change = shop.compare()
first, last = change.before, change.after
print(f"From version {first.segment_version} ({first.as_of}) to version {last.segment_version} ({last.as_of}):")
print(f"{change.stayed:,} people stayed, {change.moved:,} moved, {change.new:,} are new, {change.left:,} are gone.")
show(flows_chart(change), "Who went where")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Why
# MAGIC
# MAGIC `behaviour`: the person does other things now. `refit`: the model was fitted anew, and would have moved them as
# MAGIC they were. `new` and `left`: in one of the versions only.

# COMMAND ----------

show(change.moves.groupBy("cause").agg(F.count("*").alias("people")).orderBy(F.desc("people")), "Causes")
show(change.moves.drop("from_segment_id", "to_segment_id").orderBy("person_id"), "People who moved", rows=10)

# COMMAND ----------

# MAGIC %md
# MAGIC ## How the segments themselves changed

# COMMAND ----------

before = {profile.segment_id: profile for profile in shop.profiles(change.before.segment_version)}
for profile in shop.profiles(change.after.segment_version):
    was = before.get(profile.segment_id)
    print(f"{profile.name}: {profile.share:.1%} of everyone" + (f", {was.share:.1%} before" if was else ", new"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Check
# MAGIC
# MAGIC The flows account for everyone in either version, and every move has its cause.

# COMMAND ----------

assert change.stayed + change.moved + change.left == sum(profile.size for profile in before.values())
assert change.stayed + change.moved + change.new == shop.segments(change.after.segment_version).count()
assert change.moves.where("cause IS NULL").isEmpty()
