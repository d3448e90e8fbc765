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
        """The replicas to try, best first.

        Never empty while any runs: Serve would ask again without a pause. An acknowledgement for a replica that is
        gone goes to another, which does not know the stream and does nothing.
        """
        if pending_request is not None:
            # Back off between attempts; Serve's default is not to while a router may still widen its choice.
            pending_request.routing_context.should_backoff = True
            wanted = pending_request.kwargs.get("replica_id")
            addressed = [r for r in candidate_replicas if r.replica_id.unique_id == wanted]
            if addressed:
                return [addressed]
        return [random.sample(candidate_replicas, min(2, len(candidate_replicas)))]
