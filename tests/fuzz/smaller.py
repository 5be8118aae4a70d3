"""Makes a failing case smaller: leaves out rows, rules, triggers, columns and settings as long as it fails in the same way."""

import copy

import psycopg


def smaller(case, run, most=1000):
    """`run` gives a case's differences. The smallest case that still has a difference of the kind of the first."""
    what = [d.what for d in run(case)[:1]]
    tries = 0

    def fails(candidate):
        nonlocal tries
        tries += 1
        try:
            return tries < most and what[0] in [d.what for d in run(candidate)]
        except psycopg.Error:
            return False

    if not what:
        return case
    case.only = list(range(1, case.rows + 1))
    case.only_old = list(range(1_000_001, 1_000_001 + case.old_rows))
    before = None
    while before is not case and tries < most:
        before = case
        for name in ("only", "only_old"):
            case = fewer_rows(case, name, fails)
        for name in ("triggers", "rules", "indexes", "after_load", "settings", "policies", "before"):
            case = fewer_elements(case, name, fails)
        case = fewer_columns(case, fails)
        for change in SIMPLER:
            case = simpler(case, case, change, fails)
    for name, most_rows in (("only", case.rows), ("only_old", case.old_rows)):
        if len(getattr(case, name)) == most_rows:
            setattr(case, name, None)
    return case


SIMPLER = [{"dry_run": False}, {"isolation": ""}, {"source_form": "query"}, {"report": "problems"}, {"report": "all"}, {"leaf": ""}]


def with_(element, **changes):
    other = copy.copy(element)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def fewer_elements(case, name, fails):
    for element in list(getattr(case, name)):
        if element is not case.match:
            candidate = with_(case, **{name: [e for e in getattr(case, name) if e is not element]})
            case = candidate if fails(candidate) else case
    return case


def fewer_columns(case, fails):
    for name in [c.name for c in case.columns]:
        read = any(name in e.reads for e in [*case.rules, *case.columns])
        without = with_(case, columns=[c for c in case.columns if c.name != name])
        if not read and fails(without):
            case = without
            continue
        for change in ({"bads": 0}, {"nulls": 0}, {"wide_rows": False}, {"form": "same"}, {"default": ""}):
            column = next(c for c in case.columns if c.name == name)
            case = simpler(case, column, change, fails)
    return case


def simpler(case, element, change, fails):
    """The case with a change of itself or of a column, where that is one and the case still fails."""
    if all(getattr(element, name) == value for name, value in change.items()):
        return case
    changed = with_(element, **change)
    candidate = changed if element is case else with_(case, columns=[changed if c is element else c for c in case.columns])
    return candidate if fails(candidate) else case


def fewer_rows(case, name, fails):
    """Leaves out halves, quarters and so on of the rows, as long as that is of use."""
    size = max(len(getattr(case, name)) // 2, 1)
    while getattr(case, name):
        rows, start, left_out = getattr(case, name), 0, False
        while start < len(rows):
            candidate = with_(case, **{name: rows[:start] + rows[start + size:]})
            if fails(candidate):
                case, rows, left_out = candidate, getattr(candidate, name), True
            else:
                start += size
        if size == 1 and not left_out:
            return case
        size = max(size // 2, 1)
    return case
