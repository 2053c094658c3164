"""Which requests hang together, when some are linked to others."""

from collections.abc import Iterator


class Groups:
    """Numbers from 0, each a group of its own until joined to another."""

    def __init__(self) -> None:
        self._towards: list[int] = []

    def add(self) -> int:
        """The next number, alone."""
        self._towards.append(len(self._towards))
        return len(self._towards) - 1

    def join(self, one: int, other: int) -> None:
        """From now on these two, and all that hang on them, are one group."""
        self._towards[self.of(one)] = self.of(other)

    def of(self, one: int) -> int:
        """The group of this number, as one of its members."""
        while self._towards[one] != one:
            self._towards[one] = self._towards[self._towards[one]]
            one = self._towards[one]
        return one

    def all(self) -> Iterator[list[int]]:
        """Every group with its members, by the first of them."""
        members: dict[int, list[int]] = {}
        for number in range(len(self._towards)):
            members.setdefault(self.of(number), []).append(number)
        yield from members.values()
