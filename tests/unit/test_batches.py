"""Items that share a job: how many, which, and what one more item changes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.plan import batches
from drizzleflow.plan.association import SAFE_NAME

NAMES = st.lists(st.from_regex(SAFE_NAME, fullmatch=True), min_size=1, max_size=60, unique=True)


@settings(max_examples=60, deadline=None)
@given(names=NAMES, size=st.integers(1, 12))
def test_every_item_is_in_one_batch_in_its_order(names, size):
    made = batches.batches(dict.fromkeys(names, 100), size, 0)
    assert sorted(name for batch in made.values() for name in batch) == sorted(names)
    assert all(0 < len(batch) <= size and batch == sorted(batch, key=names.index) for batch in made.values())
    assert all(SAFE_NAME.fullmatch(name) for name in made)
    assert size > 1 or made == {name: [name] for name in names}


@settings(max_examples=60, deadline=None)
@given(names=NAMES, new=st.from_regex(SAFE_NAME, fullmatch=True), size=st.integers(2, 12))
def test_one_more_item_changes_one_batch(names, new, size):
    """It is in it or, where that became too large, in one of those that it was divided into."""
    before = batches.batches(dict.fromkeys(names, 100), size, 0)
    after = batches.batches(dict.fromkeys({*names, new}, 100), size, 0)
    if len(before) == len(names) and all(len(batch) == 1 for batch in before.values()):
        return  # called like their items
    changed = [batch for name, batch in before.items() if sorted(after.get(name, ())) != sorted(batch)]
    assert len(changed) <= 1 or new in names


@settings(max_examples=60, deadline=None)
@given(
    pixels=st.dictionaries(st.from_regex(SAFE_NAME, fullmatch=True), st.integers(1, 30_000_000), min_size=1)
)
def test_auto_goes_by_the_pixels(pixels):
    made = batches.batches(pixels, "auto", 20e6)
    for names in made.values():
        assert len(names) == 1 or sum(pixels[name] + batches.ITEM for name in names) <= 20e6


def test_a_batch_is_most_of_a_job_on_average():
    for count in (100, 2000):
        made = batches.batches({f"exposure_{k:05d}": 64**2 for k in range(count)}, "auto", batches.SHORT)
        largest = int(batches.SHORT / (batches.ITEM + 64**2))
        assert 0.55 * largest < count / len(made) < 0.85 * largest
