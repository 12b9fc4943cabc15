"""Parts of a model that repeat themselves: run once, rehearsed once, and then only entered into the ledger.

A step calls the same parts again and again on inputs of the same shapes. On meta tensors a call has nothing
else to go by, so it does the same to memory each time. What the call finds out about its inputs and its
gradients from the outside (who else holds on to them, what has been added up already) is part of what is
looked up, or it is checked, and ``MustRun`` is raised where a repetition would not be exact. Only this cannot
be seen from outside: a part that does something else each time for no other reason than that it counts.
"""

from cotracker_pipeline.memory.repetition.part import MustRun
from cotracker_pipeline.memory.repetition.parts import Repetition

__all__ = ["MustRun", "Repetition"]
