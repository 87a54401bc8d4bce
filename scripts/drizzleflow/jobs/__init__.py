"""What every job of the workflow does around its own numerics: records, guards, history cards, thumbnails, its inputs."""
