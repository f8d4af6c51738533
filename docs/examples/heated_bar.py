"""How does heat spread in a twisted bar? The inverse of a 3 by 3 Jacobian at each point of a finite-element mesh.

    python heated_bar.py [PICTURE]

A square bar, twisted by three quarters of a turn, is kept at 0 degrees at both ends and at 100 degrees along a stripe
on one of its sides. The mesh has 48,000 hexahedra with eight nodes. In each of them the gradients of the shape
functions are needed at eight points of quadrature: those of the unit cube times the inverse of the Jacobian [1]_.
Finite-element programs keep Jacobians as they calculate them, with the matrix axes first, here (3, 3, 48000, 8).

.. [1] O. C. Zienkiewicz, R. L. Taylor and J. Z. Zhu, *The Finite Element Method: Its Basis and Fundamentals*, 7th ed.,
   2013, chapter 6.
"""

import itertools
import sys

import both
import matplotlib.pyplot as plt
import numpy as np
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from scipy.sparse import coo_array
from scipy.sparse.linalg import cg

import stackinv

SHAPE = (120, 20, 20)  # elements along the bar and across
LENGTH = 6.0  # in widths of the bar
TURN = 1.5 * np.pi
CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))


def mesh() -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the nodes, (3, nodes), and the nodes of each element, (8, elements)."""
    along, y, z = np.meshgrid(*(np.linspace(0, 1, n + 1) for n in SHAPE), indexing="ij")
    y, z, angle = y - 0.5, z - 0.5, TURN * along
    twisted = (LENGTH * along, y * np.cos(angle) - z * np.sin(angle), y * np.sin(angle) + z * np.cos(angle))
    numbers = np.arange(along.size).reshape(along.shape)
    elements = [numbers[tuple(slice(c, c + n) for c, n in zip(corner, SHAPE, strict=True))] for corner in CORNERS]
    return np.stack([x.ravel() for x in twisted]), np.stack([e.ravel() for e in elements])


def reference_gradients() -> np.ndarray:
    """Of the trilinear shape functions in the unit cube: (3, 8 functions, 8 points of Gauss)."""
    points = 0.5 + (CORNERS - 0.5) / 3**0.5
    factors = np.where(CORNERS[:, None] == 1, points, 1 - points)  # function, point, axis
    slopes = np.where(CORNERS == 1, 1.0, -1.0)
    others = [factors[..., (axis + 1) % 3] * factors[..., (axis + 2) % 3] for axis in range(3)]
    return np.stack([slopes[:, axis, None] * others[axis] for axis in range(3)])


def main(picture: str) -> None:
    """Solve for the temperature and draw it."""
    nodes, elements = mesh()
    reference = reference_gradients()
    jacobians = np.einsum("iae,jap->ijep", nodes[:, elements], reference)
    inverses = both.run(lambda inv: inv(np.moveaxis(jacobians, (0, 1), (-2, -1))))
    first = stackinv.inv(jacobians, axes=[(0, 1), (0, 1)])  # the same, with the matrix axes first
    np.testing.assert_allclose(np.moveaxis(first, (0, 1), (-2, -1)), inverses, rtol=1e-12)
    slopes = np.einsum("epji,jap->iaep", inverses, reference, optimize=True)
    volumes = np.linalg.det(np.moveaxis(jacobians, (0, 1), (-2, -1))) / 8
    print(f"volume {volumes.sum():.4f}, untwisted {LENGTH:.4f}")

    stiffness = np.einsum("iaep,ibep,ep->abe", slopes, slopes, volumes, optimize=True)
    rows, columns = np.broadcast_arrays(elements[:, None], elements[None])
    matrix = coo_array((stiffness.ravel(), (rows.ravel(), columns.ravel()))).tocsr()

    x, y, _ = np.meshgrid(*(np.linspace(0, 1, n + 1) for n in SHAPE), indexing="ij")
    hot = ((y == 0) & (abs(x - 0.5) < 0.15)).ravel()
    known = hot | ((x == 0) | (x == 1)).ravel()
    temperature = np.where(hot, 100.0, 0.0)
    free = matrix[~known][:, ~known]
    scale = 1 / free.diagonal() ** 0.5
    scaled = free * scale[:, None] * scale
    solution, info = cg(scaled.tocsr(), -scale * (matrix[~known] @ temperature), rtol=1e-8)
    assert info == 0
    temperature[~known] = scale * solution
    print(f"between {temperature.min():.1f} and {temperature.max():.1f} degrees, {temperature.mean():.1f} in the mean")

    grid, at = temperature.reshape(x.shape), nodes.reshape(3, *x.shape)
    figure = plt.figure(figsize=(8, 3.2))
    axes = figure.add_axes((0, -0.6, 0.88, 2.2), projection="3d", proj_type="ortho")  # a square
    axes.set_box_aspect((LENGTH, 1.4, 1.4), zoom=1.0)
    colours = plt.get_cmap("inferno")
    quads, means = [], []
    for axis, end in itertools.product(range(3), (0, -1)):
        side = tuple(end if n == axis else slice(None) for n in range(3))
        points, values = at[(slice(None), *side)], grid[side]
        corners = [np.s_[:-1, :-1], np.s_[1:, :-1], np.s_[1:, 1:], np.s_[:-1, 1:]]
        quads.append(np.stack([points[(slice(None), *c)] for c in corners]).transpose(2, 3, 0, 1).reshape(-1, 4, 3))
        means.append(np.mean([values[c] for c in corners], axis=0).ravel())
    faces = colours(np.concatenate(means) / 100)
    axes.add_collection3d(Poly3DCollection(np.concatenate(quads), facecolors=faces, edgecolors=faces, linewidths=0.3))
    axes.set(xlim=(0, LENGTH), ylim=(-0.7, 0.7), zlim=(-0.7, 0.7))
    axes.set_axis_off()
    axes.view_init(elev=-30, azim=-72)
    shown = plt.cm.ScalarMappable(norm=plt.Normalize(0, 100), cmap=colours)
    figure.colorbar(shown, cax=figure.add_axes((0.9, 0.15, 0.015, 0.7)), label="temperature, degrees")
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["heated_bar.png"]))
