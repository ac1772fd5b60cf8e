"""`parrot.yaml` and the environment, made into frozen, typed, checked settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from parrot_faust.creation import HBaseFamily, HBaseTable, KuduColumn, KuduTable
from parrot_faust.settings.behaviours import policy_of
from parrot_faust.settings.checks import problems
from parrot_faust.settings.complaints import complaint, explain, refuse_unknown
from parrot_faust.settings.document import MAX_BYTES, line_at, read
from parrot_faust.settings.environment import literal_secrets, override, plain_of
from parrot_faust.settings.masks import masking_of
from parrot_faust.settings.sections import (
    Batch,
    Delivery,
    HBaseSection,
    Kafka,
    KuduSection,
    Log,
    Sasl,
    Settings,
    Sinks,
    Source,
    Table,
    Topics,
    Tracing,
    Web,
    is_section,
    path_hook,
)

__all__ = [
    "MAX_BYTES",
    "Batch",
    "Delivery",
    "HBaseFamily",
    "HBaseSection",
    "HBaseTable",
    "Kafka",
    "KuduColumn",
    "KuduSection",
    "KuduTable",
    "Log",
    "Sasl",
    "Settings",
    "Sinks",
    "Source",
    "Table",
    "Topics",
    "Tracing",
    "Web",
    "is_section",
    "line_at",
    "load",
    "masking_of",
    "policy_of",
]

log = logging.getLogger("parrot")
LITERAL = "%s:%d: %s is a secret written in the file; write '${NAME}' for an environment variable or '${file:/a/path}'"


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings file, put the environment over it, and check everything.

    The file is `path`, else `PARROT_CONFIG`, else ``parrot.yaml`` in the current folder. ``PARROT_<SECTION>__<NAME>``
    overrides one value, ``${NAME}`` and ``${NAME:-default}`` in a text are taken from the environment, and
    ``${file:/a/path}`` from a file; a password that stands in the settings file itself is warned of. Raise
    SettingsError with file and line, or the variable, that the wrong value comes from, and the nearest right name.
    """
    file = path or Path(environ.get("PARROT_CONFIG") or "parrot.yaml")
    tree = read(file)
    refuse_unknown(tree, Settings, str(file), "")
    for name, line in literal_secrets(tree, Settings):
        log.warning(LITERAL, file, line, name)
    plain = plain_of(tree, str(file), environ)
    overridden = override(plain, environ)
    if isinstance(plain.get("brokers"), str):
        plain["brokers"] = [part.strip() for part in plain["brokers"].split(",") if part.strip()]
    try:
        settings = msgspec.convert(plain, Settings, strict=True, dec_hook=path_hook)
    except msgspec.ValidationError as error:
        raise complaint(*explain(str(error), plain), tree, str(file), overridden) from None
    for where, problem in problems(settings):
        raise complaint(where, f"{'.'.join(where)}: {problem}", tree, str(file), overridden)
    return settings
