"""That a queue loses, repeats, invents and exchanges nothing: one entry, whichever, is followed."""

from amaranth import Const, Mux, Signal, Value

from ..proofs import inner


def follow(bench, queue, path, *, enters, entry, leaves, offered, name, clears=None):
    """Follows an entry of a `SyncFIFOBuffered` at `path`, from the cycle with `enters` in which it is `entry`
    to the one with `leaves` in which `offered` is: after as many others as were before it, and with the
    same bits. `clears`: the queue is emptied. Says what an induction has to know of the queue."""
    m, seen, size = bench.m, inner(queue), queue.depth - 1
    entry, offered = Value.cast(entry), Value.cast(offered)
    choose = bench.free(f"{name}_chosen", 1)
    follows, kept = Signal(name=f"{name}_follows"), Signal(len(entry), name=f"{name}_kept")
    ahead, level = Signal(range(queue.depth + 1), name=f"{name}_ahead"), queue.level
    with m.If(leaves):
        m.d.sync += ahead.eq(ahead - 1)
        with m.If(ahead == 0):
            m.d.sync += follows.eq(0)
    with m.If(enters & choose & ~follows):
        m.d.sync += [follows.eq(1), kept.eq(entry), ahead.eq(level - leaves)]
    if clears is not None:
        with m.If(clears):
            m.d.sync += follows.eq(0)
        bench.always(f"{name}: is emptied", ~bench.past(clears) | ~queue.r_rdy)
    bench.always(f"{name}: only where there is room", ~enters | queue.w_rdy)
    bench.always(f"{name}: only what there is", ~leaves | queue.r_rdy)
    bench.always(f"{name}: in order", ~(follows & leaves & (ahead == 0)) | (offered == kept))
    bench.cover(
        f"{name}: behind another", follows & leaves & (ahead == 0) & bench.past(follows & (ahead != 0))
    )

    bench.lemma(f"{name}: level", (seen.inner_level <= size) & (queue.r_rdy | (seen.inner_level <= 1)))
    place = seen.consume + seen.inner_level
    bench.lemma(f"{name}: places", (seen.consume < size) & (seen.produce == wrapped(place, size)))
    bench.lemma(f"{name}: ahead", ~follows | (ahead < level))
    at = wrapped(seen.consume + ahead - queue.r_rdy, size)
    held = Const(0, len(entry))
    for number in range(size):
        held = Mux(at == number, bench.net(f"{path}.storage[{number}]", len(entry)), held)
    first = queue.r_rdy & (ahead == 0)
    bench.lemma(f"{name}: kept", ~follows | (Mux(first, offered, held) == kept))


def wrapped(place, size):
    """A place up to twice the `size` in a ring."""
    return Mux(place >= size, place - size, place)
