"""
What may be said when: the states of a session (2.2) and every legal move between them.

                 bind()            bind_resp ok          unbind()            unbind_resp
    OPEN ──────────────▶ BINDING ───────────▶ BOUND_… ───────────▶ UNBINDING ───────────▶ CLOSED
                            │ refused            │ unbind from the other side                ▲
                            └────────────────────┴───────────────────────────────────────────┘
"""

import enum

from penstock.channels.smpp.spec import Command


class State(enum.StrEnum):
    """Where a session stands (2.2)."""

    OPEN = "open"  #: connected, nothing said
    BINDING = "binding"  #: the bind is not answered yet
    BOUND_TX = "bound as transmitter"
    BOUND_RX = "bound as receiver"
    BOUND_TRX = "bound as transceiver"
    UNBINDING = "unbinding"  #: our unbind is not answered yet; answers still come
    CLOSED = "closed"  #: nothing more will be said


class Event(enum.StrEnum):
    """What can happen to a session."""

    BIND = "bind"
    BOUND_TX = "bind_transmitter_resp"
    BOUND_RX = "bind_receiver_resp"
    BOUND_TRX = "bind_transceiver_resp"
    REFUSED = "refused bind"
    SUBMIT = "submit_sm"
    ANSWER = "submit_sm_resp"
    DELIVERY = "deliver_sm"
    UNBIND = "unbind"
    UNBOUND = "unbind_resp"
    UNBIND_HEARD = "unbind from the other side"


_S, _E = State, Event
_LEAVING = {_E.UNBIND: _S.UNBINDING, _E.UNBIND_HEARD: _S.CLOSED}

#: Every legal move.  What is absent is illegal: a bug when it is ours, a broken peer when it is theirs.
MOVES: dict[State, dict[Event, State]] = {
    _S.OPEN: {_E.BIND: _S.BINDING},
    _S.BINDING: {
        _E.BOUND_TX: _S.BOUND_TX,
        _E.BOUND_RX: _S.BOUND_RX,
        _E.BOUND_TRX: _S.BOUND_TRX,
        _E.REFUSED: _S.CLOSED,
        _E.UNBIND_HEARD: _S.CLOSED,
    },
    _S.BOUND_TX: {_E.SUBMIT: _S.BOUND_TX, _E.ANSWER: _S.BOUND_TX} | _LEAVING,
    _S.BOUND_RX: {_E.DELIVERY: _S.BOUND_RX} | _LEAVING,
    _S.BOUND_TRX: {_E.SUBMIT: _S.BOUND_TRX, _E.ANSWER: _S.BOUND_TRX, _E.DELIVERY: _S.BOUND_TRX} | _LEAVING,
    _S.UNBINDING: {
        _E.ANSWER: _S.UNBINDING,
        _E.DELIVERY: _S.UNBINDING,
        _E.UNBOUND: _S.CLOSED,
        _E.UNBIND_HEARD: _S.CLOSED,
    },
    _S.CLOSED: {},
}

BOUND_BY = {
    Command.BIND_TRANSMITTER: Event.BOUND_TX,
    Command.BIND_RECEIVER: Event.BOUND_RX,
    Command.BIND_TRANSCEIVER: Event.BOUND_TRX,
}
BOUND = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})
MAY_SUBMIT = frozenset({State.BOUND_TX, State.BOUND_TRX})


class IllegalMove(RuntimeError):
    """Something happened that the state does not allow."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.value} is not allowed while the session is {state.value}")
        self.state = state
        self.event = event
