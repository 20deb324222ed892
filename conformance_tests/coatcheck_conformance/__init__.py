"""The laws of coatcheck, and what it takes to test them on any backend.

- `laws`: the nineteen laws, by number, as data
- `model`: what every call must answer, written from the laws, as a dictionary
- `histories`: was a recorded concurrent history linearizable?
- `strategies`: Hypothesis strategies for legal and illegal values
- `clock`: a clock that moves when it is told to
- `faces`: one blocking face for both managers
- `relay`: a backend between the core and another, to listen in, to meddle, or to
  hide the optional hooks

Only public names of `coatcheck` are used. Needs the extra `conformance`.
"""
