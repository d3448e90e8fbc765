"""How Ray Serve picks a replica: the less busy of two, unless the call says which one it is for.

Acknowledgements must reach the replica that runs the stream; Serve's public request-router interface is where
that can be said. Calls name their replica by the keyword argument `replica_id`.
"""

import random

from ray.serve.request_router import LocalityMixin, PendingRequest, RequestRouter, RunningReplica


class ReplicaRouter(LocalityMixin, RequestRouter):  # type: ignore[misc]
    """Power of two choices, with direct addressing on top."""

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """The replicas to try, best first. None while the one that is addressed is not among those running."""
        wanted = pending_request.kwargs.get("replica_id") if pending_request is not None else None
        if wanted is not None:
            return [[r] for r in candidate_replicas if r.replica_id.unique_id == wanted]
        return [random.sample(candidate_replicas, min(2, len(candidate_replicas)))]
