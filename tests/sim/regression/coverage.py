"""How often every declared bin was hit, and what is wrong with that."""

import itertools
from collections import Counter

from . import bins
from .bins import Bin, declared


def hits(facts, crosses=bins.CROSSES):
    """Bins of the facts of one layer or job: of every point, and of every cross of two."""
    for point, values in facts.items():
        yield from (Bin(((point, value),)) for value in values)
    for first, second in crosses:
        pairs = itertools.product(facts.get(first, ()), facts.get(second, ()))
        yield from (Bin(((first, one), (second, two))) for one, two in pairs)


class Coverage:
    """Counts of bins: of `table`, by default the declared one, with its `crosses` and `waivers`."""

    def __init__(self, table=None, waivers=bins.WAIVERS, crosses=bins.CROSSES):
        self.counts = Counter()
        self._crosses = crosses
        self._table = [*(declared() if table is None else table)]
        self._waivers = waivers

    def add(self, facts):
        """Counts the bins of the facts of one layer or job."""
        self.counts.update(hits(facts, self._crosses))

    def add_names(self, names):
        """Counts bins by their names, {name: count}, as :meth:`names` returns them."""
        by_name = {str(each): each for each in self._table}
        unknown = sorted(set(names) - by_name.keys())
        assert not unknown, f"bins that nobody declared: {unknown[:3]}"
        self.counts.update({by_name[name]: count for name, count in names.items()})

    def names(self):
        """{name of a bin: count}."""
        return dict(sorted((str(each), count) for each, count in self.counts.items()))

    def reason(self, each):
        """Why a bin is waived, None if it is not."""
        values = dict(each.values)
        return next((own.because for own in self._waivers if own.covers(values)), None)

    def missing(self):
        """Bins that are declared, not waived, and were never hit."""
        return [each for each in self._table if not self.counts[each] and self.reason(each) is None]

    def faults(self):
        """One line per bin that is hit though it is waived or not declared."""
        known = {*self._table}
        for each, count in self.counts.items():
            if each not in known:
                yield f"{each}: hit {count} times, but not declared"
            elif (reason := self.reason(each)) is not None:
                yield f"{each}: hit {count} times, but waived: {reason}"

    def lines(self):
        """The table: per point or cross its bins, how many are waived, hit, and how often the rarest was."""
        yield "| point or cross | bins | waived | hit | rarest |"
        yield "|---|---|---|---|---|"
        for name, group in itertools.groupby(self._table, key=lambda each: tuple(p for p, _ in each.values)):
            own = [*group]
            asked = [each for each in own if self.reason(each) is None]
            rarest = min(asked, key=lambda each: self.counts[each], default=None)
            told = "" if rarest is None else f"{self.counts[rarest]:,} ({_short(rarest)})"
            hit = sum(self.counts[each] > 0 for each in asked)
            yield f"| {' x '.join(name)} | {len(own)} | {len(own) - len(asked)} | {hit} | {told} |"


def _short(each):
    return ", ".join(str(value) for _, value in each.values)
