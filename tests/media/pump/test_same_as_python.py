"""What is told of calls in Python is so over the pump, too: the same tests once more."""

# ruff: noqa: F403 - the tests of those modules are what this module is for

from tests.media.test_call_media import *
from tests.media.test_fidelity import *
from tests.media.test_moving import *
from tests.media.test_quality_watch import *
from tests.media.test_robustness import *
