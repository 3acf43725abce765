"""The workers of a Dask cluster, for joblib: only those that would find the same results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dorefa.golden.errors import InputError

from ..targets.tool import require
from . import makers
from .work import Work

_ACCEPTED = "accepted: the address of a running Dask scheduler with workers, as tcp://host:8786"


@contextmanager
def workers(cluster: str, work: Work) -> Iterator[None]:
    """Lets the workers of the Dask cluster at this address run what joblib runs inside the block.

    Raises :class:`InputError` where there is none, or a worker has another dorefa or other tools.
    """
    import joblib

    require("distributed", "cluster")
    import distributed

    try:
        # Of an address that it cannot read, a client would be left half made.
        distributed.comm.get_address_host_port(cluster)
        client = distributed.Client(cluster, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cluster {cluster!r}: {error}; {_ACCEPTED}") from error
    with client:
        _check(client, cluster, work)
        with joblib.parallel_config("dask", client=client, n_jobs=-1):
            yield


def _check(client, cluster, work):
    """Raises :class:`InputError` unless every worker of the cluster has this dorefa and these tools."""
    try:
        others = client.run(makers.makers, replace(work, common=None))
    except ImportError as error:
        raise InputError(f"cluster {cluster!r}: a worker lacks {error.name}; {_ACCEPTED}") from error
    if not others:
        raise InputError(f"cluster {cluster!r} has no workers; {_ACCEPTED}")
    own = makers.makers(work)
    for worker, found in others.items():
        if found != own:
            raise InputError(
                f"cluster {cluster!r}: worker {worker} has another dorefa or other tools; accepted: the "
                "same on all machines"
            )
