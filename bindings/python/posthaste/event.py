"""The library's builder of events: for hosts that would rather not make a dict for each event."""

import json
from typing import Any, Callable, Dict, List, Optional, Union

from ._library import Handle, Library, main_library, to_bytes

_INT64 = range(-(2**63), 2**63)


class Event(Handle):
    """A reusable builder of one event's payload.

    Purpose: what Engine.push_event takes. A dict is easier; the builder writes each field of the catalogue in its wire
    type whatever it was given (msg_size is a string), repairs broken UTF-8, and says a message once for many recipients
    (mark, rewind). Ownership: holds no engine and may outlive it. Threads: one at a time. Invariants: after an error the
    event is refused by push_event until it is reset or rewound.
    """

    def __init__(self, event_type: str, library: Optional[Library] = None) -> None:
        library = library or main_library()
        super().__init__(library, library.event_new(to_bytes(event_type, "event_type")), library.event_free)

    def reset(self, event_type: Optional[str] = None) -> None:
        """Empties it for another event, of the same type when none is given."""
        self._check(self.library.event_reset(
            self.pointer, None if event_type is None else to_bytes(event_type, "event_type")))

    def set(self, key: Optional[str], value: Union[str, bytes, bool, int, float, None, Dict[str, Any], List[Any]]) -> None:
        """Sets a member of the open object, or with None as key an element of the open array. bytes are text in what
        should be UTF-8."""
        name = None if key is None else to_bytes(key, "key")
        library = self.library
        if isinstance(value, str):
            value = value.encode("utf-8", "replace")
        if isinstance(value, bytes):
            code = library.event_set_text(self.pointer, name, value, len(value))
        elif isinstance(value, bool):
            code = library.event_set_bool(self.pointer, name, value)
        elif isinstance(value, int):
            if value not in _INT64:
                raise OverflowError(f"{key} does not fit 64 bits")
            code = library.event_set_int(self.pointer, name, value)
        elif isinstance(value, float):
            code = library.event_set_double(self.pointer, name, value)
        else:
            content = json.dumps(value).encode()
            code = library.event_set_json(self.pointer, name, content, len(content))
        self._check(code)

    def __setitem__(self, key: str, value: Union[str, bytes, bool, int, float, None, Dict[str, Any], List[Any]]) -> None:
        self.set(key, value)

    def begin_object(self, key: Optional[str] = None) -> None:
        self._nest(self.library.event_begin_object, key)

    def begin_array(self, key: Optional[str] = None) -> None:
        self._nest(self.library.event_begin_array, key)

    def end(self) -> None:
        """Closes the innermost object or array."""
        self._check(self.library.event_end(self.pointer))

    def mark(self) -> None:
        """Remembers the present content; one mark, the last one counts."""
        self._check(self.library.event_mark(self.pointer))

    def rewind(self) -> None:
        """Goes back to the mark, any number of times. Clears errors made since."""
        self._check(self.library.event_rewind(self.pointer))

    def check(self) -> None:
        """Raises the first error."""
        self.library.call(self.library.event_check, self.pointer)

    def _nest(self, function: Callable[..., int], key: Optional[str]) -> None:
        self._check(function(self.pointer, None if key is None else to_bytes(key, "key")))

    def _check(self, code: int) -> None:
        if code:
            self.check()
            raise self.library.error_of(code, None)
