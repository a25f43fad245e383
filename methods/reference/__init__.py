"""The published decoders as their repositories run them, defects included: the `compat` fidelity and its names.

It is built on `methods.decoding`, which knows nothing of it.
"""
