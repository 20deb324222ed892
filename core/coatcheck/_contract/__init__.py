"""The contract between the core and a backend: values, hooks, deadlines, registration."""
