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


def updates_beside_a_trigger(case, differences):
    """Later rows may differ for the first that is lost."""
    rows = [d for d in differences if d.row and d.what != "existing"]
    lost = not rows or "a BEFORE trigger dropped the row" in rows[0].text
    return case.mode == "update" and any(t.what == "one default" for t in case.triggers) and lost


def updated_after_insert(case, differences):
    return any(t.what in ("slug", "one default") for t in case.triggers) and all(d.what == "existing" and d.text == "a row that went in has no existing" for d in differences)


def exclusion_given_up(case, differences):
    """Later rows may differ for the first that does."""
    rows = [d for d in differences if d.row]
    return case.mode == "update" and bool(rows) and rows[0].what in ("refused", "not broken") and rows[0].rule is not None and rows[0].rule.kind == "exclusion"


def told_twice(case, differences):
    """As a conflict and as a duplicate."""
    kinds = ("key", "exclusion") if case.mode == "update" else ("exclusion",)
    return all(d.what == "twice" and d.rule.kind in kinds for d in differences)


def default_of_a_domain(case, differences):
    columns = [c.name for c in case.columns if c.unforeseen]
    return bool(columns) and case.fires("BEFORE", "INSERT") and all(d.what in ("not broken", "executor") and any(f"columns=['{c}'] key={{'{c}': None}}" in d.text for c in columns) for d in differences)


def told_again(case, differences):
    """A rule of the row's own."""
    failing = any(r.kind in ("key", "exclusion") and "/ (" in r.ddl for r in case.rules)
    return failing and all(d.what == "twice" and d.rule.kind in ("check", "not null", "foreign key") for d in differences)


def hidden_by_a_domain(case, differences):
    """What a row with a bad value breaks besides, where another row has a bad value for a domain that is NOT NULL."""
    domain = any(c.kind.not_null and c.bads and c.form in ("text", "wide") for c in case.columns)
    return domain and all(d.what == "not reported" and "bad values {}" not in d.text for d in differences)


ROWS = [
    ("after a trigger that updates a row that has gone in, report => 'all' has no existing", updated_after_insert),
    ("an update loses a row that a trigger of an earlier row has touched", updates_beside_a_trigger),
    ("with on_conflict => 'update', a key of an exclusion constraint that an updated row gives up is not free for later rows", exclusion_given_up),
    ("one constraint is reported twice, as a conflict with an existing row and as a duplicate of an earlier one", told_twice),
    ("under a BEFORE INSERT trigger a row that loses is also told to be NULL in a column whose domain has a default", default_of_a_domain),
    ("where an expression of an index fails over a row, and the table is empty, what other rows break is reported twice", told_again),
    ("a bad value for a domain that is NOT NULL hides what other rows with bad values break besides", hidden_by_a_domain),
]
CALLS = []
