"""A description of one webhook, as put, create and update take it and find and list give it."""

import ctypes
import json
from typing import Any, Dict, Optional, Union

from ._library import Handle, Library, main_library, text, to_bytes
from .values import Settings, Value, flat, value_text


class Webhook(Handle):
    """A description of one webhook: keys with texts, each checked when it is set.

    Purpose: what put, create and update are given (a mapping does as well) and find and list return. Ownership: its
    own copy; nothing it is given to or came from changes with it. Threads: one at a time. Invariants: holds only texts
    that the library takes.

    Keys: name, target, events, auth_token, active, header.<name>, and every configuration key of webhook scope; of what
    find and list return also id, state, created, last_successful, last_failure, and secrets as ****.
    """

    def __init__(self, settings: Optional[Settings] = None) -> None:
        library = main_library()
        super().__init__(library, library.webhook_new(), library.webhook_free)
        self.set(settings or {})

    @classmethod
    def of_pointer(cls, library: Library, pointer: Optional[int]) -> "Webhook":
        """Takes over a description that the library made."""
        webhook = cls.__new__(cls)
        Handle.__init__(webhook, library, pointer, library.webhook_free)
        return webhook

    @classmethod
    def from_json(cls, document: Union[str, bytes, Dict[str, Any]]) -> "Webhook":
        """Of the shape of the REST API: name, target, events, auth_token, custom_headers, settings, ..."""
        webhook = cls()
        if isinstance(document, dict):
            document = json.dumps(document)
        content = document.encode() if isinstance(document, str) else bytes(document)
        webhook.library.call(webhook.library.webhook_set_json, webhook.pointer, content, len(content))
        return webhook

    def set(self, settings: Settings) -> None:
        """Sets all of the keys, up to the first that is refused."""
        for key, value in flat(settings):
            self.library.call(self.library.webhook_set, self.pointer, key, value)

    def get(self, key: str, default: Optional[str] = None) -> Optional[str]:
        """A key's text, or the default when it is not set."""
        found: Optional[bytes] = self.library.webhook_get(self.pointer, to_bytes(key, "key"))
        return default if found is None else text(found)

    def __getitem__(self, key: str) -> str:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: Value) -> None:
        self.library.call(self.library.webhook_set, self.pointer, to_bytes(key, "key"), value_text(key, value))

    def __delitem__(self, key: str) -> None:
        """Back to the engine's value."""
        self[key] = None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key) is not None

    @property
    def id(self) -> str:
        """The id of what find, list and create returned, else ""."""
        return self.get("id") or ""

    def json(self) -> Dict[str, Any]:
        """The shape of the REST API, with secrets as they are in here."""
        out = ctypes.c_void_p()
        code = self.library.webhook_json(self.pointer, ctypes.byref(out))
        if code:
            raise self.library.error_of(code, None)
        document: Dict[str, Any] = json.loads(self.library.take_text(out))
        return document

    def __copy__(self) -> "Webhook":
        return Webhook.of_pointer(self.library, self.library.webhook_copy(self.pointer))

    def __deepcopy__(self, _memo: Any) -> "Webhook":
        return self.__copy__()

    def __repr__(self) -> str:
        return f"Webhook(id={self.get('id')!r}, name={self.get('name')!r}, state={self.get('state')!r})"
