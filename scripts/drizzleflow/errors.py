"""The one exception that is meant for the person at the keyboard."""


class InputError(ValueError):
    """A file, a configuration value or an association that cannot be used.

    The message is one line: the file, key or extension, what was found and what was expected.
    """
