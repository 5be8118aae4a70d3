"""Faults that are known and are to be mended: a case that shows one of them is counted, and does not fail the run.

Each has a condition as narrow as can be said, on the case and on all of its differences. Take an entry out with the fault.
"""


def rows_fault(case, differences):
    """The reason for which a case of import_rows is known to fail, or None."""
    for reason, condition in ROWS:
        if condition(case, differences):
            return reason
    return None


def call_fault(failure):
    """The reason for which a hostile call is known to fail, or None."""
    for reason, condition in CALLS:
        if condition(failure):
            return reason
    return None


def touches_its_own_row(case, differences):
    """A trigger of the judge's row changes the row that is updated, and the judge's statement fails for that."""
    rows = [d for d in differences if d.row]
    return case.mode == "update" and any(t.what == "one default" for t in case.triggers) and bool(rows) and "27000" in rows[0].text


ROWS = [
    ("an update whose own trigger has changed its row before is made where row by row it fails", touches_its_own_row),
]
CALLS = []
