"""Hybrids: models whose network is a graph of other models, each asked through its own sampler and scheduler.

Reading order: `graph` for what a bundle says, `ports` for what can flow where, `check` for whether it fits, `hybrid`
for a graph that does, `stages` for what a stage is asked, `choosing` for the best of several candidates, `execution`
for a request on its way through. Whether the stages are models of this process or of deployments of their own is the
caller's: an execution is handed a way to stream a request, and knows nothing of where it goes.
"""
