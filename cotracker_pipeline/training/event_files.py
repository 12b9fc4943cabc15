"""Loss and validation curves as event files, which TensorBoard shows while a training runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.training.loop import LossRow
from cotracker_pipeline.training.validated import ValidationRow

Row = LossRow | ValidationRow


@contextmanager
def event_file(folder: Path, step: int) -> Iterator[Callable[[Row], None]]:
    """Yield what writes a row of either curve, a scalar a column.

    Args:
        folder: of the event files of one training.
        step: where the training continues; what an earlier file says of later steps counts no more.

    Raises:
        UserError: when TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError(
            "training.tensorboard is true, but TensorBoard is not installed; "
            "pip install -e '.[tensorboard]', or set it to false"
        ) from error
    with SummaryWriter(str(folder), purge_step=step + 1) as writer:

        def write(row: Row) -> None:
            curve = "validation" if isinstance(row, ValidationRow) else "training"
            for name, value in row._asdict().items():
                if name != "step":
                    writer.add_scalar(f"{curve}/{name}", value, row.step)
            writer.flush()

        yield write
