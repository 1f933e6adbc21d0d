"""stackctl: one stack.yaml becomes a running, self-registering, load-balanced stack, proven through its balancer."""

__version__ = "0.1.0"
