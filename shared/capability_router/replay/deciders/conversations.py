"""The current model of each conversation, if the other policy had decided all its requests."""

from __future__ import annotations

from collections import OrderedDict

from capability_router.policies.affinity import KEPT, NOWHERE, StickyModel
from capability_router.replay.log.logged_request import LoggedRequest

Key = tuple[str, str, str]


class Conversations:
    """A conversation is a chain's requests in one session, because the log has no messages to recognise it by.

    `unnamed`: the number of results of tool calls without a session; they are decided separately.
    """

    def __init__(self) -> None:
        self._with: OrderedDict[Key, str] = OrderedDict()
        self.unnamed = 0

    def of(self, logged: LoggedRequest) -> StickyModel:
        """The current model of the request's conversation."""
        if not logged.terms.session:
            self.unnamed += logged.request.in_tool_loop
            return NOWHERE
        model = self._with.get(_key(logged))
        if model is None:
            return NOWHERE
        answer = logged.answer()  # what one provider had kept of the prompt, another would have kept too
        return StickyModel(model, logged.request.in_tool_loop, answer.cache_read_tokens if answer else 0)

    def note(self, logged: LoggedRequest, model: str) -> None:
        """Remember the model of the request."""
        if logged.terms.session and model:
            self._with[_key(logged)] = model
            self._with.move_to_end(_key(logged))
            if len(self._with) > KEPT:
                self._with.popitem(last=False)

    def told(self) -> list[str]:
        """A remark on unnamed conversations, if there are any."""
        if not self.unnamed:
            return []
        return [
            f"{self.unnamed:,} answers to tool calls are of conversations that the log does not name (no session): "
            "they are decided by themselves, where a router would stay with the model that made the call."
        ]


def _key(logged: LoggedRequest) -> Key:
    return logged.router, logged.terms.session, logged.terms.chain
