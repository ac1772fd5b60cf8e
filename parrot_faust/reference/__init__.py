"""The pages of `docs/` that are made from code: settings, metrics and commands, and the tables within other pages.

`make reference` writes them anew between their marks; tests hold the files to them.
"""

from __future__ import annotations
