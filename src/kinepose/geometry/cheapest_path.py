"""The cheapest way through states that follow each other (Viterbi 1967)."""

import numpy as np
from jaxtyping import Float, Int64


def cheapest_path(
    price: Float[np.ndarray, "moments states"], steps: Float[np.ndarray, "steps states states"]
) -> Int64[np.ndarray, " moments"]:
    """The state at each moment, so that all prices and the steps between them cost least.

    `steps` are from each state of a moment to each state of the next: one fewer than moments.
    """
    best, came_from = price[0], []
    for costs, prices in zip(steps, price[1:], strict=True):
        ways = best[:, None] + costs
        came_from.append(ways.argmin(0))
        best = ways.min(0) + prices
    path = [int(best.argmin())]
    for before in reversed(came_from):
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])
