"""Trains, distils, quantises and exports the face embedders that arcdoor runs at the door.

Rooms: ``config`` (TOML to typed values), ``data`` (crops in, batches out), ``backbones`` and ``heads`` (the
networks and the losses), ``partial`` (a head sharded over processes), ``trainer``, ``loop`` and ``checkpoint`` (a step,
the loop around it and what survives it), ``ablate`` (losses against each other). ``cli`` has one subcommand a module.
"""
