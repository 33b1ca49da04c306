# Databricks notebook source
# MAGIC %md
# MAGIC # 2 · Choosing features and k
# MAGIC
# MAGIC Which features tell people apart, and how many segments do they make? Everything here is tried beside the
# MAGIC published version and writes nothing; what convinces goes under `clustering` in the configuration.

# COMMAND ----------

from segmentation import open_warehouse
from segmentation.api import candidates_chart, features_chart, show

shop = open_warehouse()
choice = shop.choice()

# COMMAND ----------

# MAGIC %md
# MAGIC ## How the published model was chosen
# MAGIC
# MAGIC The silhouette is near 1 where people are much nearer to their own segment than to the next one. The ring marks
# MAGIC the choice, which also has to keep limits on sizes and to be found again on half of the people.

# COMMAND ----------

print(choice.reason)
show(candidates_chart(choice), "Candidates of the published model")

# COMMAND ----------

# MAGIC %md
# MAGIC ## What its segments differ in
# MAGIC
# MAGIC A feature in which no segment is far from everyone adds noise to every distance and tells nobody apart.

# COMMAND ----------

profiles = shop.profiles()
show(features_chart(profiles, shop.features), "What tells segments apart")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Fewer features
# MAGIC
# MAGIC The same candidates with the three features in which segments differ most, one of each family: two that say
# MAGIC nearly the same would count twice.

# COMMAND ----------

reach = {
    name: max(abs(profile.statistics[name].effect_size) for profile in profiles if name in profile.statistics)
    for name in shop.features
    if any(name in profile.statistics for profile in profiles)
}
best = {}
for name in sorted(reach, key=reach.get, reverse=True):
    best.setdefault(shop.features[name].family, name)
chosen = list(best.values())[:3]
print(", ".join(shop.features[name].label for name in chosen))

# COMMAND ----------

narrow = shop.try_clustering(features=chosen)
print(narrow.reason)
show(candidates_chart(narrow), "Candidates with three features")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Check
# MAGIC
# MAGIC One candidate was chosen each time, of those with a silhouette; and the published model is still what it was.

# COMMAND ----------

picked = [candidate for candidate in narrow.candidates if candidate.chosen]
assert len(picked) == 1
assert picked[0].silhouette is not None
assert shop.choice() == choice
