import pytest

from gends.jobs.building.sameness import compare, founding
from gends.jobs.errors import BuildError
from gends.models.processor import PROCESSOR

HERE = {"gends": "1", "torch": "2.1", PROCESSOR: "one"}


@pytest.mark.parametrize("name", ["gends", "torch", "cuda"])
@pytest.mark.parametrize("mixed", [False, True])
def test_workers_of_different_versions_are_refused_by_name(name, mixed):
    with pytest.raises(BuildError, match=rf"workers differ in {name} \("):
        compare(HERE, HERE | {name: "other"}, mixed=mixed)


def test_processors_may_differ_only_where_they_may_be_mixed():
    other = HERE | {PROCESSOR: "another"}
    with pytest.raises(BuildError, match=rf"{PROCESSOR} \(one and another\)"):
        compare(HERE, other, mixed=False)
    compare(HERE, other, mixed=True)
    assert founding(HERE, mixed=False) == HERE
    assert founding(HERE, mixed=True) == founding(other, mixed=True)
