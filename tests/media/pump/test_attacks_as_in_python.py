"""Lossy wires and attackers between the nodes, over the pump: the same tests once more."""

# ruff: noqa: F403 - the tests of those modules are what this module is for

import pytest

from tests.media.test_man_in_the_middle import *
from tests.media.test_wire import *

pytestmark = pytest.mark.long
