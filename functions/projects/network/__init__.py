"""The network of a project: `access` says which hosts its requests may name, `byte_quota` counts its bytes of a day."""
