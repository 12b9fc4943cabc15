"""Descriptions as rows of tables: numbers to compute with, and short texts to read."""

from cotracker_pipeline.data.description import Description


def as_numbers(description: Description) -> dict[str, float]:
    """Of one sequence: sizes, shares of its positions (0 to 1), and motions in pixels a frame."""
    frames, height, width, tracks = description.largest
    return {
        "frames": frames,
        "height": height,
        "width": width,
        "tracks": tracks,
        **_shares(description),
        "motion_median": description.motion(0.5),
        "motion_95": description.motion(0.95),
    }


def as_text(description: Description) -> dict[str, str]:
    """Of any number of sequences, with the ranges of their sizes."""
    *size, tracks = (_span(*ends) for ends in zip(description.smallest, description.largest, strict=True))
    shares = {f"{kind} %": f"{100 * share:.1f}" for kind, share in _shares(description).items()}
    return {
        "sequences": str(description.sequences),
        "frames": str(description.frames),
        "tracks": str(description.tracks),
        "of one: T x H x W": " x ".join(size),
        "N": tracks,
        **shares,
        "median": f"{description.motion(0.5):.2f}",
        "95 %": f"{description.motion(0.95):.2f}",
    }


def _shares(description: Description) -> dict[str, float]:
    kinds = ("visible", "hidden", "outside", "unknown")
    # of no track nothing is visible
    positions = description.positions or float("nan")
    return {kind: getattr(description, kind) / positions for kind in kinds}


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least}-{most}"
