"""Contents that were used last, kept by their digest."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

_KEPT = 64

_Value = TypeVar("_Value")
_Absent = TypeVar("_Absent")


class Recent(Generic[_Value]):
    """What was used last, under its digest: contents never change."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Value] = OrderedDict()

    def load(self, keys: Sequence[str], read: Callable[[Sequence[str]], dict[str, _Value]]) -> None:
        """See to it that all of these are held, reading the absent ones at once; the oldest leave."""
        wanted = dict.fromkeys(keys)
        missing = [key for key in wanted if key not in self._held]
        if missing:
            self._held.update(read(missing))
        for key in wanted:
            if key in self._held:
                self._held.move_to_end(key)
        while len(self._held) > max(_KEPT, len(wanted)):
            self._held.popitem(last=False)

    def get(self, key: str, absent: _Absent) -> _Value | _Absent:
        """Give what is held under a key."""
        return self._held.get(key, absent)
