"""All stages, in the order in which data flows."""

from segmentation.runtime.stage import Stage
from segmentation.stages import assign, export, features, identity, ingest, publish, report, sessions, train

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        ingest.STAGE,
        identity.STAGE,
        sessions.STAGE,
        features.STAGE,
        train.STAGE,
        assign.STAGE,
        publish.STAGE,
        report.STAGE,
        export.STAGE,
    )
}
