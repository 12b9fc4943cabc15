"""The one definition of a study, a variant, a recipe and a strategy.

A *recipe* changes what is learned; a *strategy* changes only how it is computed and leaves loss and
gradients as they are (``precision`` stands between the two: it changes rounding). A *variant* is a recipe
plus a strategy.

``python -m cotracker_pipeline.config`` prints the JSON schema that Snakemake validates a study file against.
"""

import difflib
import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import ErrorDetails

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.rungs import RUNGS

# names become those of files
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
# strict: no text or truth is taken for a number, as the JSON schema takes none
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Size = Annotated[Whole, Field(ge=1)]
Amount = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
S = TypeVar("S", bound="Section")

#: What a sentence may quote.
LONGEST_PART = 60
MOST_CHOICES = 30

#: Which share of the tracks is queried in a random visible frame: "first", a quarter, or "random", all.
Sampling = Literal["first", "random"]

Checkpointable = Literal["encoder", "transformer", "iteration", "block", "stage", "hidden", "gelu"]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = [value for number, value in enumerate(values) if value in values[:number]]
    if twice:
        raise ValueError(f"{twice[0]} is given twice; remove one")
    return values


class Section(BaseModel):
    """A part of the configuration: immutable, and a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _added(default: Any, description: str) -> Any:
    """A key that older studies do not have: with its default it is left out of what names their results."""
    return Field(default, description=description, exclude_if=lambda value: value == default)


class Strategy(Section):
    """How a step is computed. ``Strategy()`` is the plain computation of the published code."""

    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="bf16: autocast of encoder, correlation and transformer; coordinates stay fp32"
    )
    correlation: Literal["volume", "local"] = Field(
        "volume",
        description="local: only the products that are sampled, not the volume over all pixels; of "
        "CoTracker3 products and sampled features are computed again in the backward pass",
    )
    attention: Literal["explicit", "fused"] = Field(
        "explicit", description="fused: attention without its logits in memory"
    )
    skip_unused: Flag = Field(
        False, description="leave out what nothing reads: tracks in windows before their query, copies"
    )
    encoder_chunk: Whole = Field(0, ge=0, description="frames that are encoded at a time; 0: all at once")
    checkpoint: tuple[Checkpointable, ...] = Field(
        (),
        description="parts whose activations are recomputed in the backward pass instead of kept; from the "
        "largest: encoder, transformer (a call of it), iteration (a refinement), block (a layer of the "
        "transformer), stage (its half: over time or over tracks), hidden (layer of an MLP), gelu (costs no "
        "product); the larger may contain the smaller",
    )
    optimiser: Literal["foreach", "one-by-one", "host"] = Field(
        "foreach",
        description="AdamW of all parameters at once; one after the other, without copies of all; or so with "
        "its state on the host",
    )
    offload: Flag = _added(
        False,
        "on a GPU: keep on the host what is saved for the backward pass, copied while the GPU computes",
    )
    compile: Flag = _added(
        False, "torch.compile of encoder and transformer; predictions are of the step without it"
    )
    auto: Flag = Field(
        False,
        description="choose all of this but precision, offload and compile: the fastest rung that fits the "
        "card, and one rung leaner whenever memory runs out all the same",
    )


#: Keys of a strategy that no rung names.
BESIDE_RUNGS = {"precision", "offload", "compile"}


StrategyName = Literal[
    "published", "fast", "fast-encoder", "fast-hidden", "moderate", "balanced", "lean", "minimal", "auto"
]


class Recipe(Section):
    """What is learned. The defaults are those of the published CoTracker2 training.

    CoTracker3 has no track mask, and its losses know more options.
    """

    tracks: Size = Field(768, description="tracks per sample at the true size")
    corr_radius: Size = Field(3, description="correlation radius in feature pixels")
    use_track_mask: Flag = Field(True, description="token channel: this frame of this track needs an update")
    use_attention_mask: Flag = Field(True, description="hide tracks from attention until they are queried")
    iterations: Size = Field(4, description="refinement iterations per window in training")
    loss: Literal["corrected", "published"] = Field(
        "corrected",
        description="published: divided by N once more, visibility loss on probabilities; of CoTracker3: "
        "occluded positions always by L1, visibility where nothing is known",
    )
    position_loss: Literal["huber", "l1"] = _added(
        "huber", "of CoTracker3: squared up to 6 pixels and linear beyond, or linear; CoTracker2's is l1"
    )
    only_visible: Flag = _added(False, "of CoTracker3: no loss on the positions of occluded points")
    query_sampling: Sampling = _added(
        "first",
        "in which visible frame a track is queried: the first, and of a quarter of the tracks any; or "
        "random: of all tracks any",
    )
    steps: Size = Field(50_000, description="optimiser steps")
    learning_rate: Amount = Field(5e-4, description="peak of the one-cycle schedule")
    schedule: Literal["linear", "cosine"] = _added("linear", "how the learning rate rises and falls")
    weight_decay: Number = Field(1e-5, ge=0)
    gradient_clip: Amount = Field(10.0, description="largest global L2 norm of the gradient")


Architecture = Literal["cotracker2", "cotracker3-online", "cotracker3-offline"]

#: The sizes of published models that differ from those of CoTracker2.
PUBLISHED_SIZES: Mapping[Architecture, Mapping[str, int]] = MappingProxyType(
    {
        "cotracker3-online": {"window_len": 16, "depth": 3},
        "cotracker3-offline": {"window_len": 60, "depth": 3},
    }
)


class ModelSize(Section):
    """Sizes of a tracker. The defaults are those of the published models: 45.5 M parameters, 25.4 M of
    CoTracker3.
    """

    architecture: Architecture = _added(
        "cotracker2", "which tracker; CoTracker3 refines sliding windows online, or whole clips offline"
    )
    window_len: Size = Field(
        8,
        description="frames of a sliding window (even), 16 in CoTracker3 online; offline frames of the table "
        "of time embeddings, 60, which is interpolated for other clips",
    )
    stride: Literal[1, 2, 4, 8] = Field(4, description="pixels of the image per feature pixel")
    num_virtual_tracks: Size = 64
    model_resolution: tuple[Size, Size] = Field((384, 512), description="height, width of the position table")
    corr_levels: Size = Field(4, description="levels of the correlation pyramid")
    feature_dim: Size = Field(128, description="channels of the feature map")
    encoder_widths: tuple[Size, Size, Size, Size, Size] = Field(
        (64, 64, 96, 128, 128), description="channels of the encoder's stem and its four stages"
    )
    hidden_size: Size = Field(384, description="channels of the update transformer")
    num_heads: Size = 8
    depth: Size = Field(6, description="time blocks, each followed by a space stage; 3 in CoTracker3")
    first_estimate: Literal["query", "matching"] = Field(
        "query",
        description="where a track starts in a frame that no window has seen: where it was queried or last "
        "seen, as published, or the best match of its feature near there, which short training needs",
    )

    @model_validator(mode="before")
    @classmethod
    def _published_sizes(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {**PUBLISHED_SIZES.get(values.get("architecture", ""), {}), **values}

    @model_validator(mode="after")
    def _divisible(self) -> "ModelSize":
        if self.window_len % 2 and self.architecture != "cotracker3-offline":
            raise ValueError(f"window_len {self.window_len} must be even: windows overlap by half")
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of num_heads {self.num_heads}"
            )
        return self


class Untold(Section):
    """What the tensors of a checkpoint do not say about its model. The defaults are the published models'."""

    architecture: Architecture | None = Field(
        None,
        description="found from keys and shapes, unless windows of CoTracker3 have a length of their own",
    )
    stride: Literal[1, 2, 4, 8] = ModelSize.model_fields["stride"].default
    model_resolution: tuple[Size, Size] | None = Field(
        None, description="found for CoTracker2; 384, 512 of CoTracker3 when absent"
    )
    corr_levels: Size = Field(
        ModelSize.model_fields["corr_levels"].default, description="of CoTracker2; found for CoTracker3"
    )
    num_heads: Size = ModelSize.model_fields["num_heads"].default
    first_estimate: Literal["query", "matching"] = "query"
    use_attention_mask: Flag | None = Field(
        None, description="when absent as published: true, but of CoTracker3 online false"
    )


class Clip(Section):
    """The shape of one training batch."""

    batch_size: Size = 1
    frames: Size = 24
    height: Size = 384
    width: Size = 512


class Card(Section):
    """What PyTorch and its libraries take of a GPU whatever is trained, and how PyTorch's allocator works.

    The defaults are what was measured on an H100 (``results/reference``); smaller cards take less.
    """

    context_bytes: Whole = Field(
        808_255_488,
        ge=0,
        description="beside PyTorch's allocator: the CUDA context, and the kernels of cuBLAS and cuDNN",
    )
    cublas_bytes: Whole = Field(
        67_108_864, ge=0, description="workspaces that cuBLAS keeps inside of PyTorch's allocator"
    )
    memory_gib: Amount | None = Field(
        None, description="memory of the card in GiB (2^30 bytes), for which strategy auto is predicted"
    )
    expandable_segments: Flag = Field(
        False, description="train under PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"
    )


class Memory(Section):
    """The true size: what peak memory is predicted and measured for."""

    model: ModelSize = ModelSize()
    clip: Clip = Clip()
    card: Card = Card()
    inference_iterations: Size = Field(6, description="refinement iterations of the inference peak")


class Rendered(Section):
    """Synthetic clips, rendered by the scene engine."""

    preset: Literal["smoke", "easy", "kubric", "panning"] = "smoke"
    sequences: Size
    shards: Size = Field(1, description="files, and so jobs, that the sequences are divided among")
    frames: Size = 24
    height: Size = 128
    width: Size = 128
    points: Size = Field(256, description="tracks per sequence")
    motion_blur: Share = Field(
        0.0, description="share of the time between two frames for which the shutter is open"
    )
    textures: Path | None = Field(
        None, description="folder of images in place of the photographs that come along"
    )
    meshes: Path | None = Field(
        None, description="folder of mesh files in place of the twelve families of shapes"
    )
    codec: Literal["raw", "jpeg"] = Field(
        "raw", description="jpeg: a fifth of the size, pixels nearly the same"
    )

    @model_validator(mode="after")
    def _shards(self) -> "Rendered":
        if self.shards > self.sequences:
            raise ValueError(f"shards {self.shards} must not exceed sequences {self.sequences}")
        return self


class Dataset(Section):
    """A published data set, or one of the user's own, that is converted to the HDF5 layout."""

    format: Literal[
        "kubric",
        "tapvid-davis",
        "tapvid-rgb-stacking",
        "tapvid-kinetics",
        "robotap",
        "point-odyssey",
        "dynamic-replica",
        "frames",
    ]
    input: Path = Field(description="the file or folder that its owner publishes")
    shards: Size = Field(1, description="files, and so jobs, that the sequences are divided among")
    codec: Literal["raw", "jpeg"] | None = Field(
        None, description="how frames are stored; when absent raw for benchmarks, jpeg for training sets"
    )


class Split(Section):
    """Where the clips of one split come from: rendered here, a data set that is converted, or HDF5 files."""

    render: Rendered | None = None
    dataset: Name | None = Field(None, description="one of datasets")
    files: tuple[Path, ...] = Field((), description="HDF5 shards that exist already")

    @model_validator(mode="after")
    def _one_source(self) -> "Split":
        if sum((self.render is not None, self.dataset is not None, bool(self.files))) > 1:
            raise ValueError("give either render, dataset or files")
        return self

    @property
    def is_given(self) -> bool:
        """Whether there is a source."""
        return self != Split()


class Data(Section):
    """The splits of the study. Training and the other two never share a texture or a scene."""

    train: Split = Split()
    eval: Split = Split()
    validation: Split = _added(Split(), "what models are evaluated on while they are trained")


class Augmentation(Section):
    """Random changes of training clips. The defaults cut the clip out anywhere and flip it, and no more."""

    erase: Share = Field(
        0.0,
        description="probability that a frame, not the first, is erased in up to ten rectangles",
    )
    replace: Share = Field(
        0.0,
        description="probability that a frame, not the first, shows other parts of the clip in some places",
    )
    jitter: Share = Field(0.0, description="probability that a clip's frames change their colours")
    blur: Share = Field(0.0, description="probability that a clip's frames are blurred")
    pad: Whole = Field(0, ge=0, description="most pixels of the black border at each side")
    scale: Number = Field(0.0, ge=0, lt=1, description="the first frame's scale lies within 1 -+ this")
    scale_drift: Number = Field(
        0.0, ge=0, lt=1, description="largest change of the scale from frame to frame, per axis"
    )
    crop: Literal["random", "tracks"] = Field(
        "random",
        description="where a clip is cut out: anywhere, or around the points that its first frame shows",
    )
    crop_drift: Whole = Field(
        0, ge=0, description="most pixels that the crop moves from frame to frame, per axis"
    )
    flip_x: Flag = Field(True, description="mirror one of two clips from left to right")
    flip_y: Flag = Field(True, description="mirror one of two clips from top to bottom")


class Pace(Section):
    """Which frames of a sequence a training clip is made of: by default a run of consecutive ones."""

    random_length: Flag = Field(
        False, description="clips of half of clip.frames up to one frame less than these; for batch_size 1"
    )
    random_frame_rate: Flag = Field(
        False, description="clips of every n-th frame, where n is random among those for which frames suffice"
    )


class WarmUp(Section):
    """Supervised matching that trains the encoder once, for all variants to start from."""

    steps: Size
    clip: Clip = Field(Clip(), description="shape of the clips that frames are taken from")
    matched_frames: Whole = Field(4, ge=2, description="frames of a clip, each matched with each other one")
    matches: Size = Field(256, description="points per clip")
    learning_rate: Amount = 1e-3
    threads: Size = Field(1, description="CPU threads; all trainings wait for the warm-up")

    @model_validator(mode="after")
    def _enough_frames(self) -> "WarmUp":
        if self.matched_frames > self.clip.frames:
            raise ValueError(
                f"matched_frames {self.matched_frames} must not exceed the {self.clip.frames} frames of clip"
            )
        return self


class Training(Section):
    """The scale at which accuracy is studied: what this machine can train."""

    model: ModelSize = ModelSize()
    clip: Clip = Clip()
    augmentation: Augmentation = Field(Augmentation(), description="of the clips of warm-up and training")
    pace: Pace = _added(Pace(), "length and frame rate of training clips, as CoTracker3 offline is trained")
    track_factor: Number = Field(1.0, gt=0, le=1, description="tracks trained with, per track of the recipe")
    seeds: Annotated[tuple[Seed, ...], AfterValidator(_distinct)] = Field((0,), min_length=1)
    warm_up: WarmUp | None = None
    devices: Size = _added(1, "processes of a training on each node, each with a GPU of its own")
    nodes: Size = _added(1, "machines of a training")
    accumulate: Size = _added(
        1, "parts of a process' share of the batch that are computed one after the other, for less memory"
    )
    initial_checkpoint: Path | None = _added(
        None,
        "weights to start from, for fine-tuning: a published .pth file, or a model.safetensors of a training",
    )
    log_every: Size = Field(10, description="steps between rows of the loss curve")
    save_every: Size = Field(200, description="steps between saved training states")
    threads: Size = Field(1, description="CPU threads of one training")
    device: Literal["cpu", "cuda"] = Field("cuda", description="where models are trained and evaluated")
    workers: Whole = Field(0, ge=0, description="processes that read clips; 0 reads in the training itself")
    read_ahead: Size = Field(2, description="batches that each worker prepares before they are needed")
    on_nan: Literal["stop", "skip"] = Field(
        "stop",
        description="at a step whose loss or gradient is not finite; those skipped are counted and told",
    )
    skip_damaged: Flag = Field(
        False,
        description="leave out, with a warning, shards and sequences that are damaged, instead of ending",
    )
    tensorboard: Flag = _added(False, "write the curves for TensorBoard, too, while trainings run")
    validate_every: Size | None = _added(
        None, "steps between evaluations on the validation split; never when absent"
    )

    @property
    def processes(self) -> int:
        """That train together."""
        return self.devices * self.nodes

    @property
    def part(self) -> Clip:
        """The shape of what one process computes at once."""
        parts = self.processes * self.accumulate
        return self.clip.model_copy(update={"batch_size": self.clip.batch_size // parts})

    @model_validator(mode="after")
    def _divisible(self) -> "Training":
        if self.clip.batch_size % (self.processes * self.accumulate):
            raise ValueError(
                f"clip.batch_size {self.clip.batch_size} must be a multiple of devices x nodes x accumulate, "
                f"{self.devices} x {self.nodes} x {self.accumulate}, among which a batch is divided"
            )
        return self

    @model_validator(mode="after")
    def _one_start(self) -> "Training":
        if self.warm_up is not None and self.initial_checkpoint is not None:
            raise ValueError("initial_checkpoint brings an encoder of its own; remove it or warm_up")
        return self

    @model_validator(mode="after")
    def _one_length(self) -> "Training":
        if self.pace.random_length and self.clip.batch_size > 1:
            raise ValueError(
                f"pace.random_length wants clip.batch_size 1 instead of {self.clip.batch_size}, as the clips "
                "of a batch are of one length"
            )
        return self


#: Keys of the training section that change no weights, unless a training meets a fault.
BOOKKEEPING = frozenset(
    {
        *("seeds", "log_every", "save_every", "validate_every", "workers", "read_ahead"),
        *("on_nan", "skip_damaged", "tensorboard"),
    }
)


class Evaluation(Section):
    """TAP-Vid protocol on the eval split."""

    query_modes: Annotated[tuple[Literal["first", "strided"], ...], AfterValidator(_distinct)] = Field(
        ("first", "strided"), min_length=1
    )
    iterations: Size = 6
    visibility_threshold: Number = Field(0.9, gt=0, lt=1)
    support_grid: Whole = Field(
        5, ge=0, description="side of the grid of support points on frame 0; 0 for none"
    )
    single_point: Flag = _added(
        False, "track each query on its own, beside support points around it too, as in published tables"
    )
    local_grid: Annotated[Whole, Field(ge=0)] = _added(
        8, "with single_point, side of the grid of support points over 50x50 pixels around a query; 0: none"
    )
    max_tracks: Size | None = Field(None, description="tracks evaluated per video; all when absent")
    coords: Literal["raster", "published", "unshifted"] = Field(
        "raster",
        description="published: scale tracks by (W - 1) / W as CoTracker's evaluation does, half a pixel "
        "off at the borders, to compare with published tables; unshifted: take raster pixels for pixel "
        "indices, as it does of Dynamic Replica",
    )
    video_side: Size | None = _added(
        None,
        "videos are first resized to a square of this side by Lanczos, as TAP-Vid's published evaluations do "
        "to 256; when absent trackers get them as they are",
    )
    baselines: Annotated[
        tuple[Literal["static", "lucas-kanade", "dis-flow"], ...], AfterValidator(_distinct)
    ] = ("static", "lucas-kanade", "dis-flow")


class JobResources(Section):
    """What the jobs of one rule ask a cluster for. What is left out is the rule's own choice."""

    mem_mb: Size | None = Field(None, description="memory in MB; attempt n asks for n times that")
    runtime: Size | None = Field(None, description="time limit in minutes; likewise")
    max_mem_mb: Size | None = Field(None, description="what no attempt exceeds: the memory of a node")
    max_runtime: Size | None = Field(None, description="what no attempt exceeds: the partition's time limit")
    partition: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._,-]+$", description="SLURM partition; the cluster's default when absent"
    )
    gpu_model: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._]+$", description="type of the GPU, as the cluster calls it"
    )

    @model_validator(mode="after")
    def _within_limits(self) -> "JobResources":
        for name, asked, most in (
            ("mem_mb", self.mem_mb, self.max_mem_mb),
            ("runtime", self.runtime, self.max_runtime),
        ):
            if asked and most and asked > most:
                raise ValueError(f"{name} {asked} must not exceed max_{name} {most}")
        return self


class Resources(Section):
    """By rule, what its jobs ask a cluster for."""

    render: JobResources = JobResources()
    convert: JobResources = JobResources()
    warm_up: JobResources = JobResources()
    train: JobResources = JobResources()
    evaluate: JobResources = JobResources()
    evaluate_baseline: JobResources = JobResources()
    predict_memory: JobResources = JobResources()
    measure_memory: JobResources = JobResources()
    plan_budgets: JobResources = JobResources()
    tabulate: JobResources = JobResources()
    judge: JobResources = JobResources()
    summarise: JobResources = JobResources()
    illustrate: JobResources = JobResources()
    illustrate_timeline: JobResources = JobResources()
    illustrate_budgets: JobResources = JobResources()
    illustrate_page: JobResources = JobResources()
    illustrate_clips: JobResources = JobResources()
    illustrate_scenes: JobResources = JobResources()
    convert_checkpoint: JobResources = JobResources()
    evaluate_published: JobResources = JobResources()
    compare_published: JobResources = JobResources()


class NamedStrategy(Section):
    """A rung of the ladder, and what no rung names; its name alone will do, too."""

    rung: StrategyName
    precision: Literal["fp32", "bf16"] | None = None
    offload: Flag | None = None
    compile: Flag | None = None


def _named(value: Any) -> Any:
    """The keys of a strategy that is given by the name of its rung, and of ``BESIDE_RUNGS`` what it has."""
    if isinstance(value, str):
        value = {"rung": value}
    if not isinstance(value, Mapping) or "rung" not in value:
        return value
    rung, others = value["rung"], {key: other for key, other in value.items() if key != "rung"}
    if not isinstance(rung, str) or rung not in {"auto", *RUNGS}:
        raise ValueError(f"there is {_unknown(str(rung), {**RUNGS, 'auto': {}})}")
    if unknown := others.keys() - BESIDE_RUNGS:
        raise ValueError(
            "beside rung there may be precision, offload and compile, but no "
            f"'{_shown(min(unknown, key=str))}'; remove it"
        )
    chosen = {"auto": True} if rung == "auto" else RUNGS[rung]
    return {**Strategy().model_dump(exclude=BESIDE_RUNGS), **chosen, **others}


def _overrides_of(section: type[Section]) -> type[BaseModel]:
    """The same keys as ``section``, each optional: what a variant may write."""
    fields: dict[str, Any] = {
        name: (
            # with its limits, which are no part of the annotation any more
            Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation,
            Field(None, description=field.description, json_schema_extra=_without_default),
        )
        for name, field in section.model_fields.items()
    }
    return create_model(f"{section.__name__}Overrides", __base__=Section, **fields)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


RecipeOverrides = _overrides_of(Recipe)
StrategyOverrides = _overrides_of(Strategy)
EvaluationOverrides = _overrides_of(Evaluation)


class VariantOverrides(Section):
    """What a variant changes of the study's own recipe and strategy."""

    recipe: RecipeOverrides = RecipeOverrides()  # type: ignore[valid-type]
    strategy: Annotated[
        StrategyOverrides,  # type: ignore[valid-type]
        BeforeValidator(_named, json_schema_input_type=StrategyOverrides | NamedStrategy | StrategyName),
    ] = StrategyOverrides()


class Checkpoint(Section):
    """A model that is evaluated as it is."""

    file: Path = Field(description="a published .pth file, where it is or will be")
    untold: Untold = Field(Untold(), description="what the file's tensors do not say")
    evaluation: EvaluationOverrides = Field(  # type: ignore[valid-type]
        EvaluationOverrides(), description="what its evaluation changes of the study's own"
    )


class EvaluationSet(Section):
    """Videos, what is asked of them and by which metrics the answers are measured."""

    dataset: Name = Field(description="one of datasets")
    metrics: Literal["tap-vid", "dynamic-replica", "point-odyssey"] = Field(
        "tap-vid", description="the latter two query every track in frame 0, and query_modes is not used"
    )
    max_frames: Size | None = Field(None, description="frames of each video; all when absent")
    evaluation: EvaluationOverrides = Field(  # type: ignore[valid-type]
        EvaluationOverrides(), description="what it changes of the study's and the checkpoint's evaluation"
    )


class Published(Section):
    """Checkpoints that are evaluated, without training, beside their published numbers."""

    numbers: Path = Field(description="file of the published numbers")
    checkpoints: dict[Name, Checkpoint] = Field(min_length=1)
    sets: dict[Name, EvaluationSet] = Field(min_length=1)


class Variant(NamedTuple):
    """A recipe plus a strategy, under a name."""

    name: str
    recipe: Recipe
    strategy: Strategy


class Study(Section):
    """Everything that ``snakemake --cores all`` runs."""

    study: Name = Field(description="results go to results/<study>")
    seed: Seed = 0
    recipe: Recipe = Recipe()
    strategy: Annotated[
        Strategy, BeforeValidator(_named, json_schema_input_type=Strategy | NamedStrategy | StrategyName)
    ] = Strategy()
    memory: Memory = Memory()
    datasets: dict[Name, Dataset] = Field({}, description="what splits may name as their dataset")
    data: Data = Field(Data(), description="what variants are trained and evaluated on")
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    variants: dict[Name, VariantOverrides] = {}
    ablations: dict[Name, tuple[Name, ...]] = {}
    claims: Path | None = Field(None, description="file of the claims that are judged")
    step_times: Path | None = Field(
        None, description="times of interleaved steps at the true size, for claims about time"
    )
    resources: Resources = Field(Resources(), description="what jobs ask a cluster for")
    published: Published | None = Field(
        None, description="checkpoints to compare with their published numbers; such a study needs no variant"
    )

    @model_validator(mode="after")
    def _something_to_do(self) -> "Study":
        if self.published is not None and not self.variants:
            return self
        if "baseline" not in self.variants:
            raise ValueError("variants must contain 'baseline', which the others are compared with")
        if self.data == Data():
            raise ValueError("data: give train and eval, which variants are trained and evaluated on")
        for split in ("train", "eval"):
            if not getattr(self.data, split).is_given:
                raise ValueError(f"data.{split}: give either render, dataset or files")
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> "Study":
        for split in Data.model_fields:
            dataset = getattr(self.data, split).dataset
            if dataset is not None and dataset not in self.datasets:
                raise ValueError(f"data.{split}.dataset: datasets has {_unknown(dataset, self.datasets)}")
        for ablation, members in self.ablations.items():
            for member in members:
                if member not in self.variants:
                    raise ValueError(f"ablations.{ablation} names {_unknown(member, self.variants)}")
        return self

    @model_validator(mode="after")
    def _validated_on_something(self) -> "Study":
        wanted, given = self.training.validate_every is not None, self.data.validation.is_given
        if wanted and not given:
            raise ValueError(
                "training.validate_every: give data.validation, the split to evaluate on, or remove it"
            )
        if given and not wanted:
            raise ValueError(
                "data.validation: give training.validate_every, the steps between evaluations, or remove it"
            )
        return self

    @model_validator(mode="after")
    def _sets_have_datasets(self) -> "Study":
        if self.published is None:
            return self
        for name, chosen in self.published.sets.items():
            if chosen.dataset not in self.datasets:
                raise ValueError(
                    f"published.sets.{name}.dataset: datasets has {_unknown(chosen.dataset, self.datasets)}"
                )
        return self

    @model_validator(mode="after")
    def _variants_exist(self) -> "Study":
        architectures = {self.memory.model.architecture, self.training.model.architecture}
        for name, variant in self.resolved.items():
            if not variant.recipe.use_track_mask and architectures != {"cotracker2"}:
                raise ValueError(
                    f"variants.{name}: CoTracker3 has no track mask; remove recipe.use_track_mask or choose "
                    "model.architecture cotracker2"
                )
        return self

    @cached_property
    def resolved(self) -> dict[str, Variant]:
        """Every variant with its overrides applied, by name."""
        return {name: self._resolve(name, overrides) for name, overrides in self.variants.items()}

    def variant(self, name: str) -> Variant:
        """The variant ``name``. Raises ``UserError`` when the study has none of that name."""
        if name not in self.resolved:
            raise UserError(f"study '{self.study}': variants has {_unknown(name, self.variants)}")
        return self.resolved[name]

    def published_evaluation(self, checkpoint: str, name: str) -> tuple[EvaluationSet, Evaluation]:
        """The set ``name``, and how the checkpoint is evaluated on it.

        Raises ``UserError`` when the study has none of that name.
        """
        if self.published is None:
            raise UserError(f"study '{self.study}': has no section published; give another study")
        for key, wanted in (("checkpoints", checkpoint), ("sets", name)):
            known = getattr(self.published, key)
            if wanted not in known:
                raise UserError(f"study '{self.study}': published.{key} has {_unknown(wanted, known)}")
        chosen = self.published.sets[name]
        return chosen, _evaluation_of(self.evaluation, self.published.checkpoints[checkpoint], chosen)

    def _resolve(self, name: str, overrides: VariantOverrides) -> Variant:
        recipe = overrides.recipe.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
        strategy = overrides.strategy.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
        return Variant(name, self.recipe.model_copy(update=recipe), self.strategy.model_copy(update=strategy))


def _evaluation_of(evaluation: Evaluation, checkpoint: Checkpoint, chosen: EvaluationSet) -> Evaluation:
    """``evaluation`` with what the checkpoint changes of it, and then the set."""
    for part in (checkpoint, chosen):
        changed = part.evaluation.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
        evaluation = evaluation.model_copy(update=changed)
    return evaluation


def load_study(path: str | os.PathLike[str]) -> Study:
    """Read and check a study file (YAML or JSON). Raises ``UserError`` with one sentence."""
    return parse_study(read_yaml(path), str(path))


def parse_study(values: Any, source: str) -> Study:
    """Check ``values``, read from ``source``. Raises ``UserError`` with one sentence."""
    return parse_section(Study, values, source)


def parse_section(section: type[S], values: Any, source: str) -> S:
    """Check ``values`` against ``section``. Raises ``UserError`` naming ``source``, the key and the mend."""
    if not isinstance(values, Mapping):
        raise UserError(f"{source}: expected keys and values, found {type(values).__name__}")
    try:
        return section.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(f"{source}: {_sentence(error.errors()[0], section)}") from error


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """The content of a YAML file. Raises ``UserError`` when it is missing or no YAML."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give an existing file") from error
    # what stands for a date may be none, and lists may lie in lists without end
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: is not valid YAML ({_shown(reason, 200)}); mend that line") from error


def _sentence(error: ErrorDetails, section: type[Section]) -> str:
    """One sentence for the first thing that pydantic found wrong."""
    key = ".".join(_shown(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{_hint(error['loc'], section)}"
    message = error["msg"].removeprefix("Value error, ")
    found = "" if error["type"] in ("missing", "value_error") else f", found {_shown(repr(error['input']))}"
    return f"{key}: {message}{found}" if key else f"{message}{found}"


def _hint(location: tuple[int | str, ...], section: type[Section]) -> str:
    known = _keys_beside(location, section.model_json_schema())
    return _closest(str(location[-1]), known)


def _keys_beside(location: tuple[int | str, ...], schema: dict[str, Any]) -> list[str]:
    """The keys that the schema allows at the place of the unknown key ``location``."""
    node = schema
    for part in location[:-1]:
        anything: dict[str, Any] = next(iter(node.get("patternProperties", {}).values()), {})
        node = node.get("properties", {}).get(part, anything)
        for choice in [node, *node.get("anyOf", [])]:
            if "$ref" in choice:
                node = schema["$defs"][choice["$ref"].rsplit("/", 1)[-1]]
    return list(node.get("properties", {}))


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    return f"no '{_shown(name)}'{_closest(name, list(known))}"


def _closest(name: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    if matches:
        return f"; did you mean '{matches[0]}'?"
    more = ", ..." if len(known) > MOST_CHOICES else ""
    return f"; choose one of {', '.join(known[:MOST_CHOICES])}{more}" if known else "; remove it"


def _shown(part: int | str, longest: int = LONGEST_PART) -> str:
    """A part of a file as it may stand in a sentence: on one line, and not endless."""
    text = str(part)
    line = (text if text.isprintable() else repr(text)[1:-1]) or "''"
    return line if len(line) <= longest else f"{line[:longest]}..."


def main() -> None:
    """Print the JSON schema of a study file."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    print(json.dumps(dialect | Study.model_json_schema(), indent=2, sort_keys=True))


if __name__ == "__main__":
    main()
