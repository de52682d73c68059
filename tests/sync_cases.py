"""The rules of the two-way sync as a table of cases: memory and every real engine run the same ones.

`users(id, name, first_name, last_name)` is split as in the demo. Each case is one statement on one row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from workers.engine.vocabulary import Mapping, Side, Sync, TableName

TABLE = TableName("public", "users")
SYNC = Sync(
    "lockstep_p1o0",
    TABLE,
    ahead=(
        Mapping("first_name", "split_part(name, ' ', 1)"),
        Mapping("last_name", "case when strpos(name, ' ') > 0 then substr(name, strpos(name, ' ') + 1) end"),
    ),
    back=(Mapping("name", "case when last_name is null then first_name else first_name || ' ' || last_name end"),),
)
LOSSY = replace(
    SYNC,
    ahead=(
        Mapping("first_name", "split_part(name, ' ', 1)"),
        Mapping("last_name", "case when strpos(name, ' ') > 0 then split_part(name, ' ', -1) end"),
    ),
)
"""Keeps the first and the last word: what stands between them is lost."""

Person = tuple[str | None, str | None, str | None]
"""name, first_name, last_name"""
Written = dict[str, str | int | None]


@dataclass(frozen=True)
class SyncCase:
    rule: str
    """The sentence that the case shows."""
    before: Person | None
    """The row as it stands, stored behind the sync's back; None for an INSERT."""
    writes: Written
    """The SET list of the UPDATE of the row with id 1, or the columns that the INSERT names besides that id."""
    after: Person
    """The row as it is stored."""
    counted: tuple[int, int]
    """Writes of the old and of the new side that the sync counts."""
    lead: Side = Side.OLD
    sync: Sync = SYNC
    name_default: str | None = None
    """Where given, `name` is NOT NULL with this default."""

    def __str__(self) -> str:
        return f"{self.rule}, lead {self.lead}"


ANN: Person = ("Ann Lee", "Ann", "Lee")
BO: Person = ("Bo Kim", "Bo", "Kim")
NOBODY: Person = (None, None, None)
CARL: Person = ("Carl Diaz", None, None)
"""Not backfilled yet."""
TORN: Person = ("Ann Lee", "Bo", "Kim")
"""Neither side derives from the other."""


def first(first_name: str | None) -> Written:
    return {"first_name": first_name}


def last(last_name: str | None) -> Written:
    return {"last_name": last_name}


def name(name: str | None) -> Written:
    return {"name": name}


# fmt: off
WHICHEVER_LEADS = (
    # One side is inserted.
    SyncCase("an insert of the old side fills the new", None, name("Ann Lee"), ANN, (1, 0)),
    SyncCase("an insert of the new side fills the old", None, first("Ann") | last("Lee"), ANN, (0, 1)),
    SyncCase("an insert of one part fills the old side", None, first("Ann"), ("Ann", "Ann", None), (0, 1)),
    SyncCase("an insert of neither side stays empty", None, {}, NOBODY, (0, 0)),
    SyncCase("an insert of explicit NULLs stays empty", None, name(None) | first(None) | last(None), NOBODY, (0, 0)),

    # Both sides are written, and agree.
    SyncCase("an insert of both sides in step is left as it is",
             None, name("Ann Lee") | first("Ann") | last("Lee"), ANN, (1, 1)),
    SyncCase("an insert in step by the way back alone is left as it is",
             None, name("Ann Lee") | first("Ann Lee"), ("Ann Lee", "Ann Lee", None), (1, 1)),
    SyncCase("an update of both sides in step is left as it is",
             ANN, name("Bo Kim") | first("Bo") | last("Kim"), BO, (1, 1)),

    # One side is updated.
    SyncCase("an update of the old side carries over to the new", ANN, name("Bo Kim"), BO, (1, 0)),
    SyncCase("an update of the new side carries over to the old", ANN, first("Bo") | last("Kim"), BO, (0, 1)),
    SyncCase("an update of one part keeps the other", ANN, last("Kim"), ("Ann Kim", "Ann", "Kim"), (0, 1)),
    SyncCase("an update of neither side touches neither", ANN, {}, ANN, (0, 0)),
    SyncCase("an update of neither side leaves a torn row alone", TORN, {}, TORN, (0, 0)),
    SyncCase("an update to equal values touches neither", CARL, name("Carl Diaz"), CARL, (0, 0)),
    SyncCase("an update back to an earlier value is a write", BO, name("Ann Lee"), ANN, (1, 0)),

    # Comparisons are exact, and NULL is a value like others.
    SyncCase("a change of case alone is a change", ANN, name("ann lee"), ("ann lee", "ann", "lee"), (1, 0)),
    SyncCase("a trailing blank alone is a change", ("Ann", "Ann", None), name("Ann "), ("Ann ", "Ann", ""), (1, 0)),
    SyncCase("an empty text is not NULL", ANN, name(""), ("", "", None), (1, 0)),
    SyncCase("characters beyond ASCII count one each",
             ANN, name("Åsa 🦉 Ñandú"), ("Åsa 🦉 Ñandú", "Åsa", "🦉 Ñandú"), (1, 0)),
    SyncCase("quotes, percent signs and backslashes are text",
             ANN, name("O'Brien 100% \\n"), ("O'Brien 100% \\n", "O'Brien", "100% \\n"), (1, 0)),
    SyncCase("the old side from NULL to a value", NOBODY, name("Ann Lee"), ANN, (1, 0)),
    SyncCase("the old side from a value to NULL", ANN, name(None), NOBODY, (1, 0)),
    SyncCase("the new side from NULL to a value", NOBODY, first("Ann"), ("Ann", "Ann", None), (0, 1)),
    SyncCase("one part from a value to NULL", ANN, last(None), ("Ann", "Ann", None), (0, 1)),
    SyncCase("the whole new side from a value to NULL", ANN, first(None) | last(None), NOBODY, (0, 1)),

    # Rows that the backfill has not reached.
    SyncCase("all parts written to a row not backfilled replace the old value",
             CARL, first("Ann") | last("Lee"), ANN, (0, 1)),
    SyncCase("the old side written to a row not backfilled fills the new",
             CARL, name("Karl Diaz"), ("Karl Diaz", "Karl", "Diaz"), (1, 0)),
    SyncCase("a row in step keeps both sides when its key moves",
             ("Mary Ann Smith", "Mary Ann", "Smith"), {"id": 2}, ("Mary Ann Smith", "Mary Ann", "Smith"), (0, 0)),

    # A column default is no write.
    SyncCase("a default of the old side does not swallow an insert of the new",
             None, first("Ann") | last("Lee"), ANN, (0, 1), name_default=""),
    SyncCase("an insert of neither side derives the new from the default",
             None, {}, ("No Name", "No", "Name"), (0, 0), name_default="No Name"),
    SyncCase("an insert of the default itself derives the new from it",
             None, name("No Name"), ("No Name", "No", "Name"), (0, 0), name_default="No Name"),
    SyncCase("an update to the default is a write", ANN, name(""), ("", "", None), (1, 0), name_default=""),

    # What one side cannot say.
    SyncCase("a lossy mapping keeps the old value while only the old side is written",
             None, name("Mary Ann Smith"), ("Mary Ann Smith", "Mary", "Smith"), (1, 0), sync=LOSSY),
    SyncCase("a lossy mapping loses the middle when a part is written",
             ("Mary Ann Smith", "Mary", "Smith"), last("Jones"), ("Mary Jones", "Mary", "Jones"), (0, 1), sync=LOSSY),
    SyncCase("a mapping that keeps the rest keeps three words",
             ("Mary Ann Smith", "Mary", "Ann Smith"), first("Rose"), ("Rose Ann Smith", "Rose", "Ann Smith"), (0, 1)),
    SyncCase("a new side that the old one cannot say stays as it was written",
             ANN, first("Mary Ann") | last("Smith"), ("Mary Ann Smith", "Mary Ann", "Smith"), (0, 1)),
    SyncCase("a part of such a new side written again keeps the other",
             ("Mary Ann Smith", "Mary Ann", "Smith"), last("Jones"), ("Mary Ann Jones", "Mary Ann", "Jones"), (0, 1)),
)

OLD_LEADS = (
    # Both sides are written in one statement, and disagree.
    SyncCase("an insert of both sides follows the old one",
             None, name("Ann Lee") | first("Bo") | last("Kim"), ANN, (1, 1)),
    SyncCase("an update of both sides follows the old one",
             ANN, name("Cy Orr") | first("Bo"), ("Cy Orr", "Cy", "Orr"), (1, 1)),
    SyncCase("both sides written to a row not backfilled follow the old one",
             CARL, name("Cy Orr") | first("Karl"), ("Cy Orr", "Cy", "Orr"), (1, 1)),

    # In a row not in step the old side counts: a partial write of the new side keeps the rest of the old value.
    SyncCase("the first part written to a row not backfilled keeps the last",
             CARL, first("Karl"), ("Karl Diaz", "Karl", "Diaz"), (0, 1)),
    SyncCase("the last part written to a row not backfilled keeps the first",
             CARL, last("Deez"), ("Carl Deez", "Carl", "Deez"), (0, 1)),
    SyncCase("an explicit NULL for a part of a row not backfilled looks like a part not written",
             CARL, first("Karl") | last(None), ("Karl Diaz", "Karl", "Diaz"), (0, 1)),
    SyncCase("a part written to a torn row takes the rest from the old side",
             TORN, first("Cy"), ("Cy Lee", "Cy", "Lee"), (0, 1)),
    SyncCase("a row not backfilled is filled when its key moves, perhaps past the backfill",
             CARL, {"id": 2}, ("Carl Diaz", "Carl", "Diaz"), (0, 0)),
)
NEW_LEADS = (
    # Both sides are written in one statement, and disagree.
    SyncCase("an insert of both sides follows the new one",
             None, name("Ann Lee") | first("Bo") | last("Kim"), BO, (1, 1)),
    SyncCase("an update of both sides follows the new one",
             ANN, name("Cy Orr") | first("Bo"), ("Bo Lee", "Bo", "Lee"), (1, 1)),
    SyncCase("both sides written to a torn row follow the new one",
             TORN, name("Cy Orr") | first("Cy"), ("Cy Kim", "Cy", "Kim"), (1, 1)),

    # In a row not in step the new side counts: the old one is stale while contract is undone.
    SyncCase("a part written to a row whose old side is stale keeps the other part",
             TORN, first("Cy"), ("Cy Kim", "Cy", "Kim"), (0, 1)),
    SyncCase("a part set to NULL in a row whose old side is stale is NULL",
             TORN, last(None), ("Bo", "Bo", None), (0, 1)),
    SyncCase("a row whose old side is stale is filled when its key moves, perhaps past the backfill",
             TORN, {"id": 2}, BO, (0, 0)),
)
# fmt: on

SYNC_CASES: tuple[SyncCase, ...] = (
    *(replace(case, lead=Side.OLD) for case in (*WHICHEVER_LEADS, *OLD_LEADS)),
    *(replace(case, lead=Side.NEW) for case in (*WHICHEVER_LEADS, *NEW_LEADS)),
)
