"""
On the path of Jasmin only: what it writes is sent at once.

It acknowledges a receipt with one small write and submits the next message with another; TCP holds the
second back until the carrier has confirmed the first, which takes 40 ms.  Jasmin has no setting for
that (https://github.com/jookies/jasmin/issues/1168 has the same 15 to 20 messages a second).
"""

from twisted.internet import tcp

_start = tcp.Client._connectDone


def _start_at_once(self):
    self.setTcpNoDelay(True)
    _start(self)


tcp.Client._connectDone = _start_at_once
