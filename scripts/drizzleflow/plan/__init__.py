"""Plan a run: which products it makes of which files, before any pixel is read.

Start at `products.build`; `association` reads the tables of members, `config` the settings. The roads that
products take are declared in `roads`, with the words of `layout`; what jobs ask for is in `figures`.
Neither numpy nor astropy is imported here until a file that is not in the cache has to be described.
"""
