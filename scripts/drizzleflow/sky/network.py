"""Sky levels from measured differences, by least squares, as heights in a surveyor's levelling network.

The nodes of the network are groups of images; an edge is the measured difference of two groups' sky in their
overlap. The normal matrix is a graph Laplacian. A small one is solved by an elimination without subtractions,
a large one by a sparse factorisation, always in one thread and in a fixed order, so that any machine with the
same libraries gives the same bits.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.forest import joins

DENSE = 400  #: most nodes of a component that is solved densely, with exact uncertainties
DRAWS = 200  #: noise realisations behind the uncertainties of larger components, which are good to 5 %


def spanning_forest(n, i, j, weight, difference):
    """The connected components of a graph, and levels that satisfy its heaviest edges exactly.

    Parameters
    ----------
    n : int
        Number of nodes.
    i, j : (m,) int arrays
        Ends of the edges.
    weight : (m,) float array
        > 0; the forest is built from heavy edges first.
    difference : (m,) float array
        Measured level[i] - level[j].

    Returns
    -------
    component : (n,) int array
        Number of each node's component: 0, 1, ... in the order of the components' first nodes.
    level : (n,) float64 array
        Levels along the forest, 0 at the first node of a component.
    """
    branches = [[] for _ in range(n)]
    order = np.argsort(-weight, kind="stable")
    for e in order[joins(n, zip(i[order].tolist(), j[order].tolist(), strict=True))].tolist():
        a, b = int(i[e]), int(j[e])
        branches[a].append((b, -difference[e]))
        branches[b].append((a, difference[e]))
    component, level, count = np.full(n, -1), np.zeros(n), 0
    for first in range(n):
        if component[first] >= 0:
            continue
        component[first] = count
        todo = [first]
        while todo:
            k = todo.pop()
            for other, step in branches[k]:
                if component[other] < 0:
                    component[other], level[other] = count, level[k] + step
                    todo.append(other)
        count += 1
    return component, level


class Network:
    """One connected component of the network.

    Parameters
    ----------
    n : int
        Number of nodes.
    i, j : (m,) int arrays
        Ends of the edges.
    weight : (m,) float array
        Least-squares weights, > 0.
    """

    def __init__(self, n, i, j, weight):
        self.n, self.i, self.j, self.weight = n, i, j, weight / weight.max()
        self._factors = None

    def levels(self, difference, start):
        """The least-squares levels with mean zero (the minimum-norm solution), (n,) float64.

        Parameters
        ----------
        difference : (m,) float array
            Measured level[i] - level[j].
        start : (n,) float array
            Levels to correct (those of `spanning_forest`). The normal equations then have residuals only on
            their right side, so that a weak edge between heavy ones keeps its digits.
        """
        level = np.array(start, float)
        for _ in range(2):
            residual = difference - (level[self.i] - level[self.j])
            level += self.solve(self._normal(self.weight * residual))
        return level - level.mean()

    def covariances(self, variance, reference):
        """The variance of each level minus that of node `reference`, (n,) float64.

        `variance` are the variances of the measured differences, (m,).
        """
        if self.n <= DENSE:
            inverse = self.solve(np.eye(self.n))
            if np.ptp(variance * self.weight) <= 1e-9 * variance.max() * self.weight.max():
                cov = inverse * (variance * self.weight)[0]
            else:
                middle = self._laplacian(self.weight**2 * variance)
                # einsum without BLAS: the same bits with any number of threads
                cov = np.einsum("ij,jk->ik", np.einsum("ij,jk->ik", inverse, middle), inverse)
            spread = np.diag(cov) + cov[reference, reference] - 2.0 * cov[reference]
        else:
            draws = (
                np.random.default_rng(0).standard_normal((len(self.i), DRAWS)) * np.sqrt(variance)[:, None]
            )
            level = self.solve(self._normal(self.weight[:, None] * draws))
            spread = np.mean((level - level[reference]) ** 2, axis=1)
        return np.maximum(spread, 0.0)

    def solve(self, right):
        """Solve the Laplacian system with the last node at zero.

        `right` is (n,) or (n, k); its columns sum to zero. It may also be the identity, whose solution is the
        inverse with zeros in the last row and column.
        """
        right = np.array(right, float)
        columns = right.reshape(self.n, -1)
        out = self._dense(columns) if self.n <= DENSE else self._sparse(columns)
        return out.reshape(right.shape)

    def _normal(self, flow):
        """The right side of the normal equations: each node's sum of weighted differences at its edges."""
        out = np.zeros((self.n, *flow.shape[1:]))
        np.add.at(out, self.i, flow)
        np.subtract.at(out, self.j, flow)
        return out

    def _laplacian(self, weight):
        matrix = np.zeros((self.n, self.n))
        np.subtract.at(matrix, (self.i, self.j), weight)
        np.subtract.at(matrix, (self.j, self.i), weight)
        matrix[np.diag_indices(self.n)] = -matrix.sum(axis=1)
        return matrix

    def _dense(self, right):
        """Solve by star-mesh elimination: it only adds positive weights, so that no digits cancel."""
        if self._factors is None:
            weight = -self._laplacian(self.weight)
            np.fill_diagonal(weight, 0.0)
            self._factors = []
            for k in range(self.n - 1):
                total = weight[k, k + 1 :].sum()
                share = weight[k, k + 1 :] / total
                self._factors.append((total, share))
                weight[k + 1 :, k + 1 :] += share[:, None] * weight[k, k + 1 :]
                np.fill_diagonal(weight, 0.0)
        right = right.copy()
        for k, (_, share) in enumerate(self._factors):
            right[k + 1 :] += share[:, None] * right[k]
        out = np.zeros_like(right)
        for k in range(self.n - 2, -1, -1):
            total, share = self._factors[k]
            out[k] = right[k] / total + (share[:, None] * out[k + 1 :]).sum(axis=0)
        return out

    def _sparse(self, right):
        if self._factors is None:
            from scipy.sparse import coo_matrix
            from scipy.sparse.linalg import splu

            rows = np.concatenate([self.i, self.j, self.i, self.j])
            columns = np.concatenate([self.j, self.i, self.i, self.j])
            values = np.concatenate([-self.weight, -self.weight, self.weight, self.weight])
            matrix = coo_matrix((values, (rows, columns)), shape=(self.n, self.n)).tocsc()[:-1, :-1]
            self._factors = splu(
                matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        out = np.zeros_like(right)
        out[:-1] = self._factors.solve(right[:-1])
        return out
