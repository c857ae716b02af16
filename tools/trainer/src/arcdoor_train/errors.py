"""What can go wrong, as types: each message says what to do. ``cli`` turns them into exit codes."""


class TrainError(Exception):
    """The base of every error that a person can act on."""

    exit_code = 5


class UsageError(TrainError):
    """The command line or the configuration asks for something that does not exist."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file that cannot be used."""


class DataError(TrainError):
    """Training data that cannot be used: missing, empty, unaligned, corrupt."""

    exit_code = 3


class NotPlainError(TrainError):
    """A teacher that is no plain chain of convolutions: there is no way to take channels out of it."""

    exit_code = 3


class CheckpointError(TrainError):
    """A checkpoint that is missing, damaged, or belongs to another configuration."""

    exit_code = 3


class BudgetError(TrainError):
    """A model above its budget of MACs, FLOPs or bytes."""

    exit_code = 3


class DivergedError(TrainError):
    """The loss is no number for too long."""

    exit_code = 5


class DiskError(TrainError):
    """A file cannot be written."""

    exit_code = 5
