"""Every error that coatcheck raises, under one root.

    CoatcheckError
    ├── ConfigError               a setting, a URL or a plugin is wrong; raised at start
    ├── InvalidInput (ValueError) an argument breaks a field rule; nothing was asked of the store
    ├── IssueDenied               a `session_issuing` hook stopped a sign-in
    ├── ManagerClosed             the manager is closed, or was not started
    ├── Unsupported               the backend declares that it cannot do this
    └── BackendError              the store, or what it answered, is at fault
        ├── BackendUnavailable    nothing happened
        ├── OutcomeUnknown        the answer was lost; the state is the one before or the one after
        ├── DuplicateSession      a session with this id exists
        ├── SchemaMissing         `prepare` has not been run, or not to the end
        └── SchemaTooNew          the store was prepared by a newer coatcheck

Messages name the field or the session id, and never hold a token, a secret, a
pepper, a hash or a URL's password. A driver's own exception is the `__cause__`.
"""


class CoatcheckError(Exception):
    """The root of all errors of this library."""


class ConfigError(CoatcheckError):
    """A setting, a URL, a backend or a plugin cannot be used as given."""


class InvalidInput(CoatcheckError, ValueError):  # noqa: N818 - public name, says what it is
    """An argument breaks a field rule. The message names the field and never echoes the value."""


class IssueDenied(CoatcheckError):  # noqa: N818
    """A `session_issuing` hook raised, so no session was issued. Its exception is the cause."""


class ManagerClosed(CoatcheckError):  # noqa: N818
    """The manager was closed, or an asynchronous one was not started yet."""


class Unsupported(CoatcheckError):  # noqa: N818
    """The backend declares that it lacks the capability which the call needs."""


class BackendError(CoatcheckError):
    """The store failed, or answered what cannot be believed."""


class BackendUnavailable(BackendError):  # noqa: N818
    """The store could not be asked within the deadline. Nothing happened."""


class OutcomeUnknown(BackendError):  # noqa: N818
    """The answer was lost. The store is in the state before the call, or in the one after."""


class DuplicateSession(BackendError):  # noqa: N818
    """A session with this id is already stored; it was left as it is."""


class SchemaMissing(BackendError):  # noqa: N818
    """The store has no coatcheck schema, or an older one. `coatcheck prepare` makes it."""


class SchemaTooNew(BackendError):  # noqa: N818
    """The store's schema was made by a newer coatcheck than this one."""


class WouldBlock(CoatcheckError):  # noqa: N818
    """For backends: the hook would have to wait longer than `coatcheck.remaining()` allows.

    The hook must have changed nothing. One that was called inline is then asked again
    in a thread; otherwise the caller gets `BackendUnavailable`.
    """
