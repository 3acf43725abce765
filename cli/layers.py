"""The table of layers that `check` and `simulate` print."""


def layer_table(layers, config):
    """(header, rows) of LayerReports; where weights stream in, with what their transfer asks for."""
    header = ["layer", "cycles", "tiling bound", "bound by", "utilization"]
    rows = [
        [layer.name, round(layer.cycles), round(layer.bound), layer.bound_by, layer.utilization]
        for layer in layers
    ]
    if config["weights"] == "stream":
        header += ["transfer cycles", "bytes per cycle needed", "compute-bound from batch"]
        for row, layer in zip(rows, layers, strict=True):
            row += [round(layer.transfer_cycles), layer.bytes_per_cycle, layer.compute_bound_batch]
    return header, rows
