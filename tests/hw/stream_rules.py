"""The rules of streams, as properties of what sends and as assumptions of who does."""

from amaranth import Value


def stream_rules(bench, stream, name="o", *, drops=True):
    """Once up, valid stays, and the payload with it, until a transfer; a reset drops valid (`drops`: where
    valid comes from registers alone). A beat waits, and one leaves."""
    valid, ready, payload = stream.valid, stream.ready, Value.cast(stream.payload)
    waited, before = bench.past(valid & ~ready), bench.past(payload)
    bench.always(f"{name}: valid stays", ~waited | valid)
    bench.always(f"{name}: payload is stable", ~waited | (payload == before))
    if drops:
        bench.always(f"{name}: reset drops valid", ~(bench.after_reset() & valid))
    bench.cover(f"{name}: a beat waits and leaves", waited & valid & ready)


def sends_by_the_rules(bench, stream):
    """Assumes that a free stream keeps them."""
    waited, before = bench.past(stream.valid & ~stream.ready), bench.past(stream.payload)
    bench.assume(~waited | (stream.valid & (Value.cast(stream.payload) == before)))
