"""Errors of charts; nothing else lives here.

ChartError
├── ChartUnavailable  no browser to draw pictures with; says how to get one
├── RenderFailed      the browser refused a figure, died twice over it or took too long
├── BrowserDied       one browser went away or never came up; within this package only
├── NothingToDraw     what a picture would show is not known
└── UnknownFormat     a file whose name doesn't end in .html or .png
"""


class ChartError(Exception):
    """Base of every error that charts raise on purpose."""


class ChartUnavailable(ChartError):
    """There is no browser to draw pictures with; the message says how to get one."""


class RenderFailed(ChartError):
    """A figure could not be drawn: the browser refused it, died or took too long."""


class BrowserDied(ChartError):
    """One browser went away, or never came up; the renderer then tries another."""


class UnknownFormat(ChartError):
    """A chart's file name must end in `.html` or `.png`."""


class NothingToDraw(ChartError):
    """What a picture would show is not known; the message says what is missing."""
