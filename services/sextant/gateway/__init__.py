"""The front door: gRPC in, decisions, dispatch to replicas, errors and figures out."""
