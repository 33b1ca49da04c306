"""Behavioural segmentation on Apache Spark and Delta Lake.

Data moves one way, through Delta tables whose names and columns stand in :mod:`segmentation.contracts`::

    sources -> ingest -> identity -> sessions -> features -> clustering -> segments -> activation
"""

__version__ = "0.1.0"
