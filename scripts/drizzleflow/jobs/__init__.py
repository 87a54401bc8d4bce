"""What every job of the workflow does around its numerics.

Start at `record`, the frame around each rule's script: log, errors and the job's record. `reader` opens the
frames that a step takes; `by_hand` runs a script without Snakemake.
"""
