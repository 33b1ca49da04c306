"""Airflow: every day everything but the model, on Sundays the model too. Copy this file into the folder of DAGs.

It needs the provider `apache-airflow-providers-apache-spark` (5 or newer) and a connection `spark_default`. `HOME` has
a checkout with the archive that `scripts/build` makes, and the configuration.
"""

from datetime import datetime, timedelta

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG

HOME = "/opt/segmentation"
PACKAGES = "io.delta:delta-spark_4.2_2.13:4.4.0,io.graphframes:graphframes-spark4_2.13:0.9.2"
DAILY = ("ingest", "identity", "sessions", "features", "assign", "publish", "audiences", "report", "export")
SUNDAYS = ("ingest", "identity", "sessions", "features", "train", "assign", "publish", "audiences", "report", "export")

for name, schedule, stages in (
    ("segmentation_daily", "0 4 * * 1-6", DAILY),
    ("segmentation_sundays", "0 4 * * 0", SUNDAYS),
):
    with DAG(
        name,
        schedule=schedule,
        start_date=datetime(2026, 1, 1),
        # A missed day is not made up for: the next run takes in all that came since.
        catchup=False,
        max_active_runs=1,
        # What failed for a reason outside is started again; what is done is not done again.
        default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
    ):
        before = None
        for stage in stages:
            task = SparkSubmitOperator(
                task_id=stage,
                application=f"{HOME}/jobs/{stage}.py",
                py_files=f"{HOME}/dist/segmentation-0.1.0.zip",
                packages=PACKAGES,
                properties_file=f"{HOME}/conf/spark-defaults.conf",
                application_args=["--config", f"{HOME}/my.yml", "--log-format", "json"],
                name=f"segmentation {stage}",
            )
            if before is not None:
                before >> task
            before = task
