"""Random cases against slow judges: make fuzz SEED=7 SECONDS=600

Two judges take turns: rows.py compares import_rows with a loop of INSERTs, calls.py calls every function with hostile values. A case
is made from the seed and its number alone:

    SEED=7 CASE=42          runs that case once more
    CASES=60                ends after so many cases, if the seconds are not over before
    SMALLER=1               makes a failing case of import_rows smaller before it is printed; it takes minutes
    IGNORE='regex'          differences whose text matches are left out; SKIP_CALLS='regex' leaves out functions
    ONLY=rows, ONLY=calls   runs one judge
    KEEP_GOING=1            goes on after a case that fails

It stops at the first case that fails, prints SQL that shows it, and ends with status 1. Cases with a fault of known.py are counted.
"""

import os
import random
import re
import sys
import time
from collections import Counter

import psycopg

import known
import smaller
import tables
from calls import Callers
from rows import Runner


class Fuzz:
    def __init__(self):
        self.seed = os.environ.get("SEED") or str(random.randrange(1_000_000))
        self.seconds = float(os.environ.get("FUZZ_SECONDS") or 40)
        self.case = os.environ.get("CASE")
        self.only = os.environ.get("ONLY")
        self.ignore = os.environ.get("IGNORE")
        self.passed, self.failed, self.known, self.tags = 0, 0, Counter(), Counter()
        print(f"SEED={self.seed} SECONDS={self.seconds:g}", flush=True)
        self.callers = Callers(self.seed)
        self.runner = Runner()

    def run(self):
        end = time.monotonic() + self.seconds
        numbers = [int(self.case)] if self.case else range(int(os.environ.get("CASES") or 10**9))
        for number in numbers:
            if not self.case and time.monotonic() > end:
                break
            good = self.run_calls(number) if self.is_call(number) else self.run_rows(number)
            self.failed += not good
            if self.failed and not os.environ.get("KEEP_GOING"):
                break
        self.summary()
        return min(self.failed, 1)

    def is_call(self, number):
        """Every third case is one of calls."""
        return self.only == "calls" if self.only else number % 3 == 2

    def left(self, failures):
        return [f for f in failures if not (self.ignore and re.search(self.ignore, str(f)))]

    # ---- import_rows

    def run_rows(self, number):
        case = tables.make(self.seed, number - number // 3 if not self.only else number)
        self.tags.update(case.tags())
        differences = self.left(self.runner.run(case))
        if not differences:
            self.passed += 1
            return True
        reason = known.rows_fault(case, differences)
        if reason:
            self.known[reason] += 1
            return True
        if os.environ.get("SMALLER"):
            case = smaller.smaller(case, lambda c: self.left(self.runner.run(c)))
            differences = self.left(self.runner.run(case))
        self.print_case(number, [s + ";" for s in [*case.setup(), *case.settings, *([f"SET ROLE {case.role}"] if case.role else []), case.call()]], differences)
        return False

    # ---- calls

    def run_calls(self, number):
        failures, said = self.callers.run(number)
        self.tags[f"calls as {self.callers.level}"] += 1
        failures = self.left(failures)
        reasons = {known.call_fault(f) for f in failures}
        if None in reasons:
            self.print_case(number, ["-- The database is made by tests/fuzz/store.sql, and the roles by tests/fuzz/calls.py.", *said], failures)
            return False
        self.known.update(reasons)
        self.passed += not failures
        return True

    # ---- printing

    def print_case(self, number, statements, differences):
        print(f"\n-- FAILED: SEED={self.seed} CASE={number}" + (f" ONLY={self.only}" if self.only else ""))
        for statement in statements:
            print(statement)
        print(f"\n-- {len(differences)} differences:")
        for difference in differences[:10]:
            print("--   " + str(difference)[:3000].replace("\n", "\n--   "))
        print(flush=True)

    def summary(self):
        calls = self.callers
        print("cases by path: " + ", ".join(f"{tag} {count}" for tag, count in sorted(self.tags.items())))
        print(f"calls: {calls.count}, of which {calls.answered} answered; {len(calls.called)} functions of {len(calls.functions)}")
        for reason, count in sorted(self.known.items()):
            print(f"known, {count} times: {reason}")
        print(f"{self.passed} passed, {self.failed} failed")


if __name__ == "__main__":
    sys.exit(Fuzz().run())
