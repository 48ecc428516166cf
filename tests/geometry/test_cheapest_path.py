"""Beside all paths, tried one by one."""

import itertools

import numpy as np

from kinepose.geometry.cheapest_path import cheapest_path


def test_no_path_is_cheaper():
    generator = np.random.default_rng(0)
    for moments in (1, 2, 5):
        price, steps = generator.random((moments, 3)), generator.random((moments - 1, 3, 3))

        def cost(path, price=price, steps=steps):
            pairs = itertools.pairwise(path)
            moved = sum(steps[number][pair] for number, pair in enumerate(pairs))
            return moved + sum(price[number][state] for number, state in enumerate(path))

        best = min(itertools.product(range(3), repeat=moments), key=cost)
        np.testing.assert_array_equal(cheapest_path(price, steps), best)
