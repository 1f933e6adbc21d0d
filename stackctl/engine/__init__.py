"""The Docker engine behind ports: observe, build, launch, drain, stop."""
