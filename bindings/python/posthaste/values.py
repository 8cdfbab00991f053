"""How Python's values are written as the library's texts: configuration, webhooks, filters, and the JSON of events."""

import json
import os
import re
from datetime import timedelta
from typing import AbstractSet, Any, Iterable, Iterator, List, Mapping, Tuple, Union

from ._library import to_bytes

# None is the default, or the engine's value in a webhook; a list is written with commas between its members.
Value = Union[None, str, bool, int, float, timedelta, "os.PathLike[str]", List[str], Tuple[str, ...],
              AbstractSet[str]]
Settings = Mapping[str, Union[Value, Mapping[str, str]]]

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
# Made once: json.dumps would make one for each call that wants anything but the defaults.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def value_text(key: str, value: Value) -> Union[bytes, None]:
    """A value as its text."""
    if value is None:
        return None
    if isinstance(value, str):
        return to_bytes(value, key)
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, (int, float)):
        return str(value).encode()
    if isinstance(value, timedelta):
        return f"{value // timedelta(milliseconds=1)}ms".encode()
    if isinstance(value, os.PathLike):
        return to_bytes(os.fspath(value), key)
    if isinstance(value, (list, tuple, set, frozenset)):
        members: Iterable[object] = sorted(value) if isinstance(value, (set, frozenset)) else value
        names = []
        for member in members:
            if not isinstance(member, str):
                raise TypeError(f"{key} must be a list of str, not of {type(member).__name__}")
            if "," in member:
                raise ValueError(f"{key} has a member with a comma")
            names.append(member)
        return to_bytes(",".join(names), key)
    raise TypeError(f"{key} cannot be {type(value).__name__}")


def flat(settings: Settings) -> Iterator[Tuple[bytes, Union[bytes, None]]]:
    """The keys and texts of settings; of {"header": {"X-A": "1"}} the key is header.X-A."""
    if not isinstance(settings, Mapping):
        raise TypeError(f"settings must be a mapping, not {type(settings).__name__}")
    for key, value in settings.items():
        if isinstance(value, Mapping):
            for name, inner in value.items():
                yield to_bytes(f"{key}.{name}", "key"), value_text(f"{key}.{name}", inner)
        else:
            yield to_bytes(key, "key"), value_text(key, value)


def event_json(event: Mapping[str, Any]) -> bytes:
    """An event as the json module writes it, in UTF-8. Lone surrogates, which is how undecodable bytes of mail come
    along in str, are replaced: the library would refuse the event for them."""
    text = _encode(event if isinstance(event, dict) else dict(event))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATES.sub("\ufffd", text).encode()
