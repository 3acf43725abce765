"""What must hold between the parameters of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError

from .ranges import CHOICES, RANGES, check_parameter

if TYPE_CHECKING:
    from .engine import EngineConfig


def plane_group_choices(a_bits: int, stored_bits: int) -> list[int]:
    """How many groups `a_bits` planes can be cut into: all of one size, but for the last, which may be
    smaller; a group holds a code of `stored_bits`. Empty where `stored_bits` is more than `a_bits`."""
    sizes = {-(-a_bits // groups) for groups in range(1, a_bits + 1)}
    return sorted(-(-a_bits // size) for size in sizes if size >= stored_bits)


def check_config(config: EngineConfig) -> None:
    """Raises :class:`InputError` that names the parameter, its value and what is accepted."""
    for name in (*RANGES, *CHOICES):
        check_parameter(name, getattr(config, name))
    for name in ("fetch_bits", "patch_slots"):
        value = getattr(config, name)
        if value & (value - 1):
            raise InputError(f"{name} is {value}; accepted: a power of two")
    for check in (
        _check_fetch,
        _check_planes,
        _check_array,
        _check_shared_reads,
        _check_trunk_stream,
        _check_training,
    ):
        check(config)


def _check_fetch(config: EngineConfig) -> None:
    if config.fetch_bits > config.lanes:
        raise InputError(
            f"fetch_bits is {config.fetch_bits}; accepted: at most lanes = {config.lanes}, "
            "because a fetched word must not span more than two patch words"
        )
    widest = max(config.total_quant, config.port_bytes)
    if config.fetch_bits < widest:
        raise InputError(
            f"fetch_bits is {config.fetch_bits}; accepted: at least {widest} "
            f"(= max of engines x quant {config.total_quant} and port_bytes {config.port_bytes}), "
            "because the plane packer writes one word per cycle"
        )


def _check_planes(config: EngineConfig) -> None:
    if config.out_bits > config.a_bits:
        raise InputError(
            f"out_bits is {config.out_bits}; accepted: at most a_bits = {config.a_bits}, "
            "because the next layer could not read wider codes"
        )
    accepted = plane_group_choices(config.a_bits, config.stored_bits)
    if config.plane_groups not in accepted:
        raise InputError(
            f"plane_groups is {config.plane_groups}; accepted: {', '.join(map(str, accepted))}, because "
            f"the {config.a_bits} planes (a_bits) lie in groups of equal size that hold the "
            f"{config.stored_bits} that layers write"
        )


def _check_array(config: EngineConfig) -> None:
    if config.quant > config.rows:
        raise InputError(
            f"quant is {config.quant}; accepted: at most rows = {config.rows}, "
            "because a tile leaves one accumulator per row and column"
        )
    if config.batch > 1 and config.cols > 1:
        raise InputError(
            f"cols is {config.cols} with batch {config.batch}; accepted: 1, because the results of several "
            "columns do not leave image by image"
        )
    if config.engines > 1 and config.rows % config.quant:
        raise InputError(
            f"rows is {config.rows} with {config.engines} engines; accepted: a multiple of quant = "
            f"{config.quant}, because the engines' channels alternate in groups of quant"
        )


def _check_shared_reads(config: EngineConfig) -> None:
    if config.column_reads != "shared":
        return
    if config.cols == 1:
        raise InputError(
            "column_reads is 'shared' with cols 1; accepted: 'separate', because one column has "
            "nothing to share"
        )
    least = RANGES["fetch_bits"][0]
    if config.lanes % least:
        raise InputError(
            f"lanes is {config.lanes} with column_reads 'shared'; accepted: a multiple of {least}, because "
            "all pieces of a patch word are whole ones"
        )
    if config.lanes % config.fetch_bits:
        raise InputError(
            f"fetch_bits is {config.fetch_bits} with column_reads 'shared'; accepted: a power of two that "
            f"divides lanes = {config.lanes}, because all pieces of a patch word are whole ones"
        )


def _check_trunk_stream(config: EngineConfig) -> None:
    if config.trunks != "stream":
        return
    for name, suits, accepted in (
        ("trunk_bits", config.trunk_bits > 0, "at least 1, because there is no trunk to stream"),
        ("cols", config.cols == 1, "1, because several columns do not leave pixel by pixel"),
        ("trunk_depth", config.trunk_depth >= 4, "at least 4, the least queue"),
    ):
        if not suits:
            raise InputError(f"{name} is {getattr(config, name)} with trunks 'stream'; accepted: {accepted}")


def _check_training(config: EngineConfig) -> None:
    if not config.training:
        return
    for name, suits, accepted in (
        ("results", config.results == "wide", "'wide', because jobs leave whole maps of sums"),
        ("cols", config.cols == 1, "1, because sums of several columns do not leave pixel by pixel"),
        ("a_bits", config.a_bits <= 8, "at most 8, because operands are bytes"),
        ("plane_groups", config.plane_groups == 1, "1, because codes of gradients do not wait"),
        ("port_bytes", config.port_bytes in (4, 8, 16), "4, 8 or 16, because a beat holds whole words"),
    ):
        if not suits:
            value = getattr(config, name)
            raise InputError(f"{name} is {value!r} with training 1; accepted: {accepted}")
    if config.gradient_lanes > config.total_quant * config.result_bits // 8:
        least = -(-8 * config.gradient_lanes // (config.result_bits * config.engines))
        raise InputError(
            f"quant is {config.quant} with training 1 and port_bytes {config.port_bytes}; accepted: at least "
            f"{least}, because the codes of a beat leave in one beat of results"
        )
