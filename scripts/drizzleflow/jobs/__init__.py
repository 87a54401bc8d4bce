"""What every job of the workflow does around its own numerics.

`reader.FrameReader` opens frames, `record.job` keeps the record; then history cards, thumbnails, guards, and
jobs made by hand.
"""
