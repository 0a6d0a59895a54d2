"""Your own modules, in order. This file is yours: updates of the template never touch it.

docs/own-module.md shows how to make one:

    from app.invoices.module import module as invoices

    MODULES: tuple[Module, ...] = (invoices,)
"""

from app.core.manifest import Module

MODULES: tuple[Module, ...] = ()
