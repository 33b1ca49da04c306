"""Tables of control groups."""

from segmentation.contracts.table import DATE, STRING, Col, Table

HOLDOUTS = Table(
    name="holdouts",
    grain="one person in one audience that has a control group, or in all of them together",
    keys=("audience", "person_id"),
    unindexed=("person_id",),
    columns=(
        Col("audience", STRING, "its name; all_campaigns: everyone, by `universal_control`", required=True),
        Col("person_id", STRING, "who", required=True),
        Col("arm", STRING, "control: never delivered; treated. Once assigned, it stays", required=True),
        Col("stratum", STRING, "the person's segment when it was assigned", required=True),
        Col("assigned_as_of", DATE, "first date at whose end the person was in the audience", required=True),
        Col("other_arm", STRING, "the other arm, where people of both turned out to be this one; null: in one only"),
    ),
)

TABLES = (HOLDOUTS,)
