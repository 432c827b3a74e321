"""Images that are scaled and turned about their centre and then moved, each in its own way, in closed form.

N images, C channels, H and W their sides; 2 stands for the two directions, across and down.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class Warp:
    """Of images of one size. Each pixel takes what is where it came from, between four pixels in proportion, and 0
    where that is beyond the edge.

    The numbers are those of kornia's `warp_affine`, to the last bit on a CPU: each sum is in the order in which a
    product of its matrices has it. Its operations are a third as many, and need nothing of the host.
    """

    def __init__(self, height: int, width: int, like: Tensor) -> None:
        import torch

        def of_sides(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=like.dtype).view(2, 1)

        sides = (width, height)
        centre_21 = of_sides([(side - 1) / 2 for side in sides])
        self._pixel_21 = of_sides(
            [2 / (side - 1) if side > 1 else 1.0 for side in sides]
        )  # of -1 to 1, from side to side
        self._first_21 = of_sides([-1.0 if side > 1 else 0.0 for side in sides])
        pixels_21 = self._pixel_21.flip(0) / self._pixel_21.prod()  # so many are a step of 1
        self._centre, self._pixels = centre_21.flatten().tolist(), pixels_21.flatten().tolist()
        self._to_first = (self._first_21 * -pixels_21).flatten().tolist()
        across_W, down_H = (torch.linspace(-1, 1, n, dtype=like.dtype) if n > 1 else torch.zeros(1) for n in sides)
        self._across_W, self._down_H1 = across_W.to(like), down_H.to(like).unsqueeze(1)
        self._centre_21, self._pixel_21, self._first_21 = (
            each.to(like) for each in (centre_21, self._pixel_21, self._first_21)
        )

    def __call__(self, images: Tensor, degrees_N: Tensor, across_N: Tensor, down_N: Tensor, moved_2N: Tensor) -> Tensor:
        """Images (N, C, H, W) scaled by `across` and `down`, then turned by `degrees`, then `moved` by pixels."""
        import torch.nn.functional as F

        by_x, by_y, rest = (each[:, :, None, None] for each in self._sources_2N(degrees_N, across_N, down_N, moved_2N))
        places_2NHW = by_x * self._across_W + by_y * self._down_H1 + rest
        return F.grid_sample(images, places_2NHW.permute(1, 2, 3, 0), align_corners=True)

    def _sources_2N(
        self, degrees_N: Tensor, across_N: Tensor, down_N: Tensor, moved_2N: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where an image's pixel comes from: how far for a step across, for one down, and from where at the centre.

        The map of pixels to pixels, in places from -1 to 1, inverted.
        """
        import torch
        import torch.nn.functional as F

        radians_N = degrees_N * (-math.pi / 180)
        cosine_N, sine_N = radians_N.cos(), radians_N.sin()
        by_x_2N = torch.stack([cosine_N, -sine_N]) * across_N
        by_y_2N = torch.stack([sine_N, cosine_N]) * down_N
        rest_2N = by_x_2N * -self._centre[0] + by_y_2N * -self._centre[1] + self._centre_21 + moved_2N
        rest_2N = by_x_2N * self._to_first[0] + by_y_2N * self._to_first[1] + rest_2N
        rest_2N = rest_2N * self._pixel_21 + self._first_21
        by_x_2N = by_x_2N * self._pixels[0] * self._pixel_21
        by_y_2N = by_y_2N * self._pixels[1] * self._pixel_21
        columns_33N = F.pad(torch.stack([by_x_2N, by_y_2N, rest_2N]), (0, 0, 0, 1))
        columns_33N[2, 2] = 1.0
        # Rows of the inverse are cross products of columns, divided by the determinant.
        rows_33N = torch.linalg.cross(columns_33N.roll(-1, 0), columns_33N.roll(-2, 0), dim=1)
        by_x_2N, by_y_2N, rest_2N = (rows_33N[:2] / (columns_33N[0] * rows_33N[0]).sum(0)).unbind(1)
        return by_x_2N, by_y_2N, rest_2N
