"""
Reading a wire log while it grows.
"""

from penstock.prove.wirelog import Answer, WireLog

BIND = b'{"mono":0.5,"wall":1,"connection":1,"command":"bind_transceiver","sequence_number":1,"system_id":"penstock"}\n'
STRAY = b'{"mono":0.6,"wall":1,"connection":1,"command":"submit_sm","sequence_number":2}\n'
SUBMIT = (
    b'{"mono":1.5,"wall":1,"connection":3,"command":"submit_sm","sequence_number":4,"source":"Shop",'
    b'"destination":"79990000001","text":"hello","message_id":"1","answer":"throttled","part":2,"parts":2}\n'
)


def test_only_messages_are_read(tmp_path):
    """
    Binds are not messages, and neither is what came on a connection that is over.
    """
    log = tmp_path / "wire"
    log.write_bytes(BIND + STRAY + SUBMIT)
    [one] = WireLog(log).read()

    assert (one.mono, one.destination, one.answer, one.connection, one.part) == (
        1.5, 79990000001, Answer.THROTTLED, 3, 2,
    )  # fmt: skip


def test_half_a_line_is_read_when_it_is_whole(tmp_path):
    """
    A log that is being written is read line by line, none twice.
    """
    log = tmp_path / "wire"
    wire = WireLog(log)
    assert wire.read() == []

    log.write_bytes(SUBMIT + SUBMIT[:20])
    assert len(wire.read_on()) == 1
    with log.open("ab") as file:
        file.write(SUBMIT[20:])
    assert len(wire.read_on()) == 1
    assert len(wire.read()) == 2
