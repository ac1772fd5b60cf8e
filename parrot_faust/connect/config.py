"""A connector's settings as people keep them: a JSON file without secrets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parrot_faust.errors import ConnectError

HIDDEN = "********"
_SECRET = re.compile(r"password|secret|token|credential|jaas|passphrase|private[._-]?key", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{\w+:[^}]*\}")  # Connect's own ${provider:path:key}, which is left to Connect
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def read_config(file: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A connector's settings from a JSON file. Raise ConnectError naming file, line or setting where it is wrong."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConnectError(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConnectError(f"{file} is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ConnectError(f"{file}:{error.lineno}:{error.colno}: {error.msg}") from None
    config = content.get("config", content) if isinstance(content, dict) else None
    if not isinstance(config, dict) or "connector.class" not in config:
        raise ConnectError(f"{file} holds no connector's settings: connector.class is missing")
    return {str(key): _filled(file, str(key), value, environ) for key, value in config.items()}


def _filled(file: Path, key: str, value: Any, environ: Mapping[str, str]) -> str:
    if isinstance(value, dict | list):
        raise ConnectError(f"{file}: {key} must be a text, a number or true or false")
    text = value if isinstance(value, str) else json.dumps(value)

    def replace(match: re.Match[str]) -> str:
        found = environ.get(match[1])
        if found is None:
            raise ConnectError(f"{file}: {key} needs the environment variable {match[1]}")
        return found

    return _VARIABLE.sub(replace, text)


def shown(key: str, value: str) -> str:
    """A setting's value as it may be shown: secrets are hidden, references to where they are kept are not."""
    return HIDDEN if value and _SECRET.search(key) and not _REFERENCE.fullmatch(value) else value
