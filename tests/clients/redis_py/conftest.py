"""Connections to the server under test, whose port is given by WEFT_PORT. Each test begins with an empty server."""

import os

import pytest
import redis

PORT = int(os.environ["WEFT_PORT"])


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(request):
    connection = redis.Redis(port=PORT, protocol=request.param, decode_responses=True)
    connection.flushall()
    yield connection
    connection.close()


@pytest.fixture
def raw():
    """A connection that gives bytes, without naming a protocol."""
    connection = redis.Redis(port=PORT)
    connection.flushall()
    yield connection
    connection.close()
