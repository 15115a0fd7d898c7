"""What a server has yet to be told by an Update: another lifetime, another object list."""

from __future__ import annotations


class News:
    """Of one device."""

    __slots__ = ("_are_objects_new", "_is_lifetime_new", "is_update_wanted", "lifetime_s")

    def __init__(self, lifetime_s: int) -> None:
        self.lifetime_s = lifetime_s
        "The device's own, whether told or not."

        self.is_update_wanted = False
        self._is_lifetime_new = False
        self._are_objects_new = False

    def want_update(self, lifetime_s: int | None = None, *, has_new_objects: bool = False) -> None:
        """An Update is to be sent; a *lifetime_s* that is given becomes the device's own."""
        self.is_update_wanted = True
        self._are_objects_new |= has_new_objects
        if lifetime_s is not None:
            self.lifetime_s = lifetime_s
            self._is_lifetime_new = True

    def take(self) -> tuple[int | None, bool]:
        """The lifetime if it is new, and whether the object list is; then nothing is new or wanted."""
        lifetime_s = self.lifetime_s if self._is_lifetime_new else None
        are_objects_new = self._are_objects_new
        self.is_update_wanted = self._is_lifetime_new = self._are_objects_new = False
        return lifetime_s, are_objects_new
