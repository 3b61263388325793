"""The ready mappings of `webcare import --mapping`: one YAML file each."""
