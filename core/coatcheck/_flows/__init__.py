"""What each call does, written once, as generators of typed steps.

A flow asks nothing itself: it yields steps, and a driver (`_managers/sync.py`,
`_managers/asynchronous.py`) takes them, waits, and sends the answers back. Time
enters as an argument. What must be atomic is one storage hook, since a flow
cannot hold a transaction.
"""
