"""The artifacts of a deployment.

1. `package` builds the zip of all functions, and cuts botocore's data down for it.
2. `image` builds the runner's image; `debian_bom` lists its Debian packages, `wheel_bom` the licences of wheels.
"""
