"""A closed bin and what the detector says of it: what rules judge, and what becomes a row of `scored_bins`."""

from math import nan
from typing import NamedTuple

from contracts.series import Bin


class ScoredBin(NamedTuple):
    """A series that had no events has a bin of value, count and revision 0. Each bin is scored once.

    `revised` is one that comes again: its value is what it should have been if its revision is higher than that known,
    else old news. The rest is nan where there is nothing to say: of a revised bin, of a young series.
    """

    bin: Bin
    revised: bool = False
    score: float = nan  # -log10 of how improbable the bin is
    expected: float = nan
    lower: float = nan
    upper: float = nan
    channel: str = ""  # which of the detector's channels the score is of
