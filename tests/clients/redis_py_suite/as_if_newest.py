"""What redis-py's own tests are told of the server, and what is expected of them.

A plugin of pytest. The suite leaves out what a server of the version in INFO cannot do, and Weft says 7.4 there: here it is told that the
server is of the version whose commands Weft has, with the modules they came from.

A line of expected.txt is a pattern of test names, the numbers of shards with which it holds (without any: all), and perhaps `sometimes`; the
line with # above it says why. The tests named there must fail: one that passes all the same fails the run, so the list cannot become
untrue. Those marked `sometimes` depend on time or on which shard has which key, and may do either.
"""

import fnmatch
import os
import tracemalloc
from pathlib import Path

import pytest

VERSION = "8.10.0"
MODULES = [{"name": name, "ver": 81000} for name in ("search", "ReJSON", "vectorset")]


def expected():
    """(pattern of test ids, reason, whether always) of each line of expected.txt that holds for this run."""
    run = f"{os.environ['WEFT_SHARDS']}-shards"
    reason, found = "", []
    for line in (Path(__file__).parent / "expected.txt").read_text().splitlines():
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line.strip():
            pattern, *words = line.split()
            runs = [word for word in words if word != "sometimes"]
            if not runs or run in runs:
                found.append((pattern, reason, "sometimes" not in words))
    return found


# Behind the suite's own, which asks the server.
@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    session.config.REDIS_INFO["version"] = VERSION
    session.config.REDIS_INFO["modules"] = MODULES


def pytest_collection_modifyitems(items):
    patterns = expected()
    for item in items:
        name = item.nodeid.split("[")[0]
        for pattern, reason, always in patterns:
            if fnmatch.fnmatchcase(name, pattern):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=always))


def pytest_runtest_setup():
    # The suite looks for leaks of its own in this way, which takes most of the time.
    tracemalloc.stop()
