import torch

from gends.models.seeding import seeded


def test_weights_follow_the_seed_and_the_global_generator_does_not():
    before = torch.random.get_rng_state()
    with seeded(3):
        first = torch.nn.Linear(4, 4).weight
    with seeded(4):
        other = torch.nn.Linear(4, 4).weight
    with seeded(3):
        again = torch.nn.Linear(4, 4).weight
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)
