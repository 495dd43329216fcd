"""Other engines at the same work, one small program each.

None of them imports hedgerow but the floor, which writes records of the same bytes: the rest run
in an environment of their own (``requirements/peers.txt``). What they learn is in ``river_model``.
"""
