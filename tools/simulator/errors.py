"""What stops a simulation before it begins."""


class SimulatorError(Exception):
    """One line for a person for each fault: what, where, what to do."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The faults, a line each."""
        return tuple(str(argument) for argument in self.args)
