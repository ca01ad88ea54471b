"""What runs in the child before the plugin: `bootstrap.py` loads it by path, with the standard library only.

    system  calls of the C library; the host uses them, too
    keeper  the process that stays and ends everything
    wall    the layers, built as the host planned them
    start   the order, and the hand-over to the SDK or to a plugin's own program

Every line here is paid by every start of every child.
"""
