"""The two scales of a study in words: no table mixes them without saying so."""

from cotracker_pipeline.config import Clip, ModelSize, Study


def true_size(study: Study, tracks: int | None = None) -> str:
    """The size that memory is predicted for; of a variant with ``tracks`` tracks where they are given."""
    memory = study.memory
    return f"true size ({tracks or study.recipe.tracks} tracks, {_clip(memory.clip)}, {_model(memory.model)})"


def trained_size(study: Study) -> str:
    """The size that accuracy is measured at."""
    training = study.training
    same = training.model == study.memory.model and training.clip == study.memory.clip
    size = "true size" if same and training.track_factor == 1 else "small scale"
    tracks = round(study.recipe.tracks * training.track_factor)
    return (
        f"{size} (track factor {training.track_factor:g}: {study.recipe.tracks} tracks are trained as "
        f"{tracks}, {_clip(training.clip)}, {_model(training.model)})"
    )


def _clip(clip: Clip) -> str:
    return f"clip {clip.batch_size}x{clip.frames}x{clip.height}x{clip.width}"


def _model(model: ModelSize) -> str:
    name = "model" if model.architecture == "cotracker2" else model.architecture
    if model == ModelSize(architecture=model.architecture):
        return f"published {name}"
    return f"{name} with hidden size {model.hidden_size}, depth {model.depth}, stride {model.stride}"
