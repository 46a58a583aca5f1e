"""
A bind to the carrier that lives as long as its worker process, with a thread that listens.
"""

import os
import socket
import threading

import redis
import smpplib.client
import smpplib.consts

_ANSWERS = 30.0  #: seconds


class _Client(smpplib.client.Client):
    """The library's client, without the wait of 40 ms that TCP makes of small writes one after another."""

    def _create_socket(self):
        created = super()._create_socket()
        created.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return created


class Bind:
    """Submits, and keeps what it learns in Redis, so that a message can be looked up."""

    def __init__(self):
        self._redis = redis.Redis.from_url(os.environ["PEERS_REDIS"])
        self._client = _Client(os.environ["PEERS_HOST"], int(os.environ["PEERS_PORT"]), allow_unknown_opt_params=True)
        self._client.set_message_sent_handler(self._take_answer)
        self._client.set_message_received_handler(self._take_receipt)
        self._client.set_error_pdu_handler(self._take_answer)
        self._client.connect()
        self._client.bind_transceiver(system_id="bench", password="secret")
        self._writing = threading.Lock()
        self._waiting = {}
        threading.Thread(target=self._client.listen, daemon=True).start()

    def submit(self, number, text, sender):
        """Submit one message, wait for the answer and record it."""
        answered, answer = threading.Event(), []
        with self._writing:
            # The number is the library's next, so that the answer cannot come before it is waited for.
            self._waiting[self._client.sequence + 1] = answered, answer
            self._client.send_message(
                source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
                source_addr=sender,
                dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
                destination_addr=str(number),
                short_message=text.encode("ascii"),
                registered_delivery=True,
            )
        if not answered.wait(_ANSWERS):
            raise TimeoutError(number)
        (pdu,) = answer
        if pdu.is_error():
            raise ValueError(pdu.status)
        self._redis.hset("submitted", pdu.message_id, number)

    def _take_answer(self, pdu):
        found = self._waiting.pop(pdu.sequence, None)
        if found is not None:
            answered, answer = found
            answer.append(pdu)
            answered.set()

    def _take_receipt(self, pdu):
        self._redis.hset("receipts", pdu.receipted_message_id, pdu.message_state)


class Lazy:
    """The bind of this process, made when the first task needs it."""

    def __init__(self):
        self._making = threading.Lock()
        self._bind = None

    def get(self):
        """Return it."""
        with self._making:
            if self._bind is None:
                self._bind = Bind()
            return self._bind
