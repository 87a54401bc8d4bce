"""Draw with Pillow: a sheet, its axes, and the colours of `outlier_pictures.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DOCS = Path(__file__).resolve().parent
INK, GREY, LINE = (26, 26, 26), (102, 102, 102), (154, 167, 180)
BLUE, ORANGE, RED = (43, 108, 176), (230, 140, 20), (208, 32, 48)


class Sheet:
    """A picture on white; places and sizes are in pixels of the file."""

    def __init__(self, width, height):
        self.image = Image.new("RGB", (width, height), "white")
        self.draw = ImageDraw.Draw(self.image)

    def text(self, x, y, words, size=26, colour=INK, anchor="ls"):
        self.draw.text((x, y), words, colour, ImageFont.load_default(size), anchor)

    def upright(self, x, y, words, size=26, colour=INK):
        """Text that runs upwards, its middle at (x, y)."""
        font = ImageFont.load_default(size)
        left, top, right, bottom = font.getbbox(words)
        one = Image.new("RGB", (right - left + 4, bottom - top + 4), "white")
        ImageDraw.Draw(one).text((2 - left, 2 - top), words, colour, font)
        one = one.rotate(90, expand=True)
        self.image.paste(one, (round(x - one.width / 2), round(y - one.height / 2)))

    def pixels(self, x, y, colours, size):
        """An image of colours uint8 (ny, nx, 3), the first row at the bottom, each pixel `size` wide."""
        ny, nx = colours.shape[:2]
        one = Image.fromarray(np.ascontiguousarray(colours[::-1]))
        self.image.paste(one.resize((nx * size, ny * size), Image.Resampling.NEAREST), (x, y))
        self.draw.rectangle((x - 1, y - 1, x + nx * size, y + ny * size), outline=LINE)

    def save(self, name):
        path = DOCS / f"{name}.png"
        self.image.save(path, optimize=True)
        print(f"docs/{path.name}: {path.stat().st_size // 1000} kB")


def grey(image, low, high):
    """Colours of an image, dark where bright, with an asinh stretch."""
    share = np.clip((np.nan_to_num(image, nan=low) - low) / (high - low), 0, 1)
    level = 255 - 235 * np.arcsinh(share / 0.05) / np.arcsinh(1 / 0.05)
    return np.repeat(level[..., None], 3, axis=-1).astype(np.uint8)


def diverging(image, most):
    """Colours of an image: white at 0, blue to -`most`, red to `most`."""
    share = np.clip(np.nan_to_num(image) / most, -1, 1)[..., None]
    end = np.where(share > 0, RED, BLUE)
    return (255 + (end - 255) * np.abs(share)).astype(np.uint8)


class Plot:
    """Axes on a sheet; `xlim` and `ylim` are what its left, right, lower and upper edges show."""

    def __init__(self, sheet, box, xlim, ylim, log=(False, False)):
        self.sheet, self.box, self.log = sheet, box, log
        self.limits = [
            np.log10(lim) if log[k] else np.array(lim, float) for k, lim in enumerate((xlim, ylim))
        ]
        x0, y0, x1, y1 = box
        sheet.draw.rectangle((x0, y0, x1, y1), outline=LINE, width=2)

    def at(self, x, y):
        """Pixels of the sheet."""
        out = []
        for k, value in enumerate((x, y)):
            value = np.log10(np.maximum(value, 1e-30)) if self.log[k] else np.asarray(value, float)
            out.append((value - self.limits[k][0]) / (self.limits[k][1] - self.limits[k][0]))
        x0, y0, x1, y1 = self.box
        return x0 + out[0] * (x1 - x0), y1 - out[1] * (y1 - y0)

    def ticks(self, xs, ys, xlabel, ylabel, title):
        x0, y0, x1, y1 = self.box
        for value, words in xs:
            x = float(self.at(value, 1)[0])
            self.sheet.draw.line((x, y1 - 8, x, y1), fill=LINE, width=2)
            self.sheet.text(x, y1 + 10, words, 24, GREY, "ma")
        for value, words in ys:
            y = float(self.at(1, value)[1])
            self.sheet.draw.line((x0, y, x1, y), fill=(232, 236, 240), width=1)
            self.sheet.text(x0 - 10, y, words, 24, GREY, "rm")
        self.sheet.draw.rectangle((x0, y0, x1, y1), outline=LINE, width=2)
        self.sheet.text((x0 + x1) / 2, y1 + 46, xlabel, 25, INK, "ma")
        self.sheet.upright(x0 - 92, (y0 + y1) / 2, ylabel, 25)
        self.sheet.text(x0, y0 - 122, title, 28)

    def line(self, x, y, colour, width=5, points=False):
        """A line through values; parts outside the axes are left out."""
        px, py = self.at(x, y)
        inside = (py <= self.box[3]) & (py >= self.box[1])
        for a in range(len(px) - 1):
            if inside[a] and inside[a + 1]:
                self.sheet.draw.line((px[a], py[a], px[a + 1], py[a + 1]), fill=colour, width=width)
        for x, y, there in zip(px, py, inside, strict=True):
            if points and there:
                self.sheet.draw.ellipse((x - 8, y - 8, x + 8, y + 8), fill=colour)

    def legend(self, entries, columns=1):
        """Above the axes, below the title."""
        rows = -(-len(entries) // columns)
        for k, (colour, words) in enumerate(entries):
            x = self.box[0] + k // rows * (self.box[2] - self.box[0]) / columns
            y = self.box[1] - 92 + 34 * (k % rows)
            self.sheet.draw.line((x, y, x + 34, y), fill=colour, width=6)
            self.sheet.text(x + 44, y, words, 23, INK, "lm")
