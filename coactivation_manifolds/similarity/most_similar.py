"""The most similar pairs of a stream of product blocks, in memory for about as many pairs as are wanted.

Pairs whose products can't be told apart from the last wanted one are all held: many equal decoder rows cost memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[Any]
Values = npt.NDArray[np.float64]


class MostSimilarPairs:
    """Collects the pairs that may be among the M most similar.

    M = max(n_pairs, pairs of cosine >= close), at most max_pairs. A pair may be left out as soon as enough others are
    known to be more similar by more than the error of the products.

    Parameters
    ----------
    n_pairs, max_pairs, close
        See above.
    slack
        Bound on the error of a product.

    """

    def __init__(self, *, n_pairs: int, max_pairs: int, close: float, slack: float) -> None:
        self.n_pairs = min(n_pairs, max_pairs)
        self.max_pairs = max_pairs
        self.wanted = n_pairs
        self.close = close
        self.slack = slack
        self.bound = -np.inf
        self.n_surely_close = 0
        self.n_seen = 0
        self.x: list[Ids] = []
        self.y: list[Ids] = []
        self.product: list[npt.NDArray[np.float32]] = []
        self.held = 0

    def add(self, products: npt.NDArray[np.float32], *, first_row: int) -> None:
        """Take the products of rows first_row, first_row + 1, ... with all rows; pairs with y > x are looked at."""
        rows, columns = np.arange(first_row, first_row + len(products)), np.arange(products.shape[1])
        upper = columns[None, :] > rows[:, None]
        new = products[upper]
        self.n_seen += len(new)
        self.n_surely_close += int((new >= self.close + self.slack).sum())
        bound = max(self.bound, self._bound_of(new))
        x, y = np.nonzero(upper & (products >= bound))
        self.x.append((x + first_row).astype(np.uint32))
        self.y.append(y.astype(np.uint32))
        self.product.append(products[x, y])
        self.held += len(x)
        if self.held > 2 * self.max_pairs or self.held > 4 * max(self.n_pairs, 1 << 20):
            self._prune()

    def _bound_of(self, products: npt.NDArray[np.float32]) -> float:
        """No pair below this is wanted, given that these products (of distinct pairs) exist."""
        bound = min(self.close, self._largest(products, self.n_pairs)) if self.n_pairs else self.close
        # one more than max_pairs: where a pair of cosine >= close is left out, more than max_pairs are surely close,
        # so that whether the list was cut is known exactly
        bound = max(bound, self._largest(products, self.max_pairs + 1))
        return bound - 2 * self.slack

    @staticmethod
    def _largest(products: npt.NDArray[np.float32], number: int) -> float:
        """The number-th largest product; minus infinity where there are fewer, infinity for the 0-th."""
        if number < 1:
            return np.inf
        if len(products) < number:
            return -np.inf
        return float(np.partition(products, len(products) - number)[len(products) - number])

    def _prune(self) -> None:
        x, y, product = np.concatenate(self.x), np.concatenate(self.y), np.concatenate(self.product)
        self.bound = max(self.bound, self._bound_of(product))
        keep = product >= self.bound
        self.x, self.y, self.product = [x[keep]], [y[keep]], [product[keep]]
        self.held = int(keep.sum())

    def candidates(self) -> tuple[Ids, Ids]:
        """The pairs that may be wanted, as row numbers, x < y."""
        if not self.x:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._prune()
        return self.x[0].astype(np.int64), self.y[0].astype(np.int64)

    def choose(self, a: Ids, b: Ids, cosine: Values) -> tuple[Ids, Ids, Values, bool]:
        """The M most similar of the candidates, most similar first, ties by (a, b); and whether max_pairs cut them."""
        order = np.lexsort((b, a, -cosine))
        n_close = max(self.n_surely_close, int((cosine >= self.close).sum()))
        m = min(max(self.wanted, n_close), self.n_seen)
        kept = order[: min(m, self.max_pairs)]
        return a[kept], b[kept], cosine[kept], m > self.max_pairs
