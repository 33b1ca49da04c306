# Databricks notebook source
# MAGIC %md
# MAGIC # 4 · From a segment to a campaign and its lift
# MAGIC
# MAGIC Who to speak to, how many they are, and whether speaking to them added anything: the people of a control group
# MAGIC were left alone, so what they bought would have been bought anyway.

# COMMAND ----------

from pyspark.sql import functions as F

from segmentation import open_warehouse
from segmentation.api import funnel_chart, lift_chart, show

shop = open_warehouse()
names = {profile.segment_id: profile.name for profile in shop.profiles()}

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who
# MAGIC
# MAGIC A rule in the words of `audiences` in the configuration, tried before it stands there: people of the largest
# MAGIC segment who came more than once, and not yesterday.

# COMMAND ----------

largest = shop.profiles()[0]
rule = {
    "all": [
        {"segment": largest.name},
        {"feature": "frequency", "at_least": 2},
        {"feature": "recency", "at_least": 1},
    ]
}
meant = shop.audience(rule)
print(meant.sentence)
print(f"{meant.members:,} of {meant.people:,} people on {meant.as_of}.")
show(funnel_chart(meant), "Where each condition loses people")

# COMMAND ----------

people = shop.members(rule)
measured = shop.table("features").where(F.col("as_of") == F.lit(meant.as_of)).join(people, "person_id", "left_semi")
measured = measured.select("person_id", "recency", "frequency", "monetary")
show(measured.orderBy(F.desc("monetary")), "The best of them", rows=10)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The campaign
# MAGIC
# MAGIC An audience of the configuration that has a `holdout` keeps a control group, which no export delivers: of each
# MAGIC segment in proportion, and the same people at every run.

# COMMAND ----------

campaign, *others = shop.measure()
arms = shop.table("holdouts").where(F.col("audience") == campaign.audience)
show(arms.groupBy("arm").agg(F.count("*").alias("people"), F.min("assigned_as_of").alias("since")), "The arms")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Its lift
# MAGIC
# MAGIC How many points more of the treated bought than of the control group, with 95 % intervals: one that lies
# MAGIC right of the line at nothing is more than chance explains. A small segment says little,
# MAGIC however the campaign went.

# COMMAND ----------

everyone = campaign.everyone
print(f"{campaign.audience}, from {campaign.since} to {campaign.as_of}:")
print(f"{everyone.treated.rate:.1%} of {everyone.treated.people:,} treated people bought,")
print(f"{everyone.control.rate:.1%} of {everyone.control.people:,} in the control group.")
print(f"Arms of this size show {100 * everyone.smallest_visible:.1f} points four times in five.")
show(lift_chart(campaign, names), "What the campaign added")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Check
# MAGIC
# MAGIC Whoever meets the rule is one person of the largest segment; nobody is in both arms; both arms together are
# MAGIC all who were in the campaign.

# COMMAND ----------

assert people.select("person_id").distinct().count() == people.count() == meant.members == meant.steps[-1].left
assert {row[0] for row in people.select("segment_id").distinct().collect()} <= {largest.segment_id}
assert arms.select("person_id").distinct().count() == arms.count()
assert everyone.treated.people + everyone.control.people == arms.count()
