"""The pool's two ends: the replica that Ray Serve runs, and the backend that calls it. See ``ray_pool``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import ray
from ray import serve
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import RayServeException, ReplicaUnavailableError
from ray.serve.handle import DeploymentHandle

from copilot.clock import SystemClock
from copilot.config import RecogniserSettings
from copilot.engines import remote
from copilot.engines.pool import ALIKE_SAMPLES, PRIORITY, AsrRequest
from copilot.engines.remote import Crew, Deadline
from copilot.engines.whisper import Whisper
from copilot.errors import RecogniserError
from copilot.events import Hypothesis

APPLICATION: Final = "copilot-asr"
NAMESPACE: Final = "copilot"
ATTEMPTS: Final = 3
"""A replica that dies takes the requests it holds with it; another one reads them again."""
STUCK_S: Final = 60.0
"""A batch that takes longer never ends: the replica is replaced."""
HEALTH_PERIOD_S: Final = 2.0
OBJECT_STORE_BYTES: Final = 128 << 20
"""Requests and answers travel in messages; the least that Ray accepts is more than enough."""


class Replica:
    """One model in one process."""

    def __init__(self, folder: str, settings: RecogniserSettings) -> None:
        self._model = Whisper.load(Path(folder), settings)
        self._clock = SystemClock()
        self._started: dict[int, float] = {}
        self._numbers = count()
        # No wait: what comes while every worker is busy is the next batch.
        self._together = serve.batch(
            max_batch_size=settings.batch, batch_wait_timeout_s=0.0, max_concurrent_batches=settings.parallel
        )(self._read_together)
        self._leisure = asyncio.Lock()

    async def transcribe(self, request: AsrRequest) -> Hypothesis:
        """What was said. Revisions take long and are in no hurry: one after the other, and nobody waits for them."""
        if request.kind == "revision":
            async with self._leisure:
                return (await self._read([request]))[0]
        hypothesis: Hypothesis = await self._together(request)
        return hypothesis

    async def process_id(self) -> int:
        """Which process this replica is."""
        return os.getpid()

    def check_health(self) -> None:
        """Raise when a batch has been running for longer than any batch can: Ray then starts another replica."""
        if self._started and self._clock.now() - min(self._started.values()) > STUCK_S:
            raise RuntimeError("a batch is stuck")

    async def _read_together(self, requests: list[AsrRequest]) -> list[Hypothesis]:
        answers: dict[int, Hypothesis] = {}
        for group in alike(requests):
            answers |= zip(group, await self._read([requests[index] for index in group]), strict=True)
        return [answers[index] for index in range(len(requests))]

    async def _read(self, requests: list[AsrRequest]) -> list[Hypothesis]:
        number = next(self._numbers)
        self._started[number] = self._clock.now()
        try:
            return await asyncio.to_thread(self._model.transcribe, requests)
        finally:
            del self._started[number]


def alike(requests: Sequence[AsrRequest]) -> list[list[int]]:
    """Indices of requests that may share a batch: equally urgent and of similar length. Urgent ones first."""
    groups: dict[tuple[int, int], list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault((PRIORITY[request.kind], len(request.samples) // ALIKE_SAMPLES), []).append(index)
    return [groups[key] for key in sorted(groups)]


class RayPool:
    """The pool as a recogniser; ``transcribe`` may be called from several threads."""

    def __init__(self, handle: DeploymentHandle[Any], settings: RecogniserSettings, address: str) -> None:
        self._handle = handle
        self._address = address
        self._crew = Crew(self._ask, settings)

    @classmethod
    def connect(cls, settings: RecogniserSettings, address: str) -> RayPool:
        """Join the cluster at ``address`` and find the pool. Raises RecogniserError (``asr.unreachable``)."""
        try:
            join(address)
            return cls(serve.get_app_handle(APPLICATION), settings, address)
        except (RayError, RayServeException, ConnectionError, RuntimeError, ValueError) as error:
            raise RecogniserError(
                "asr.unreachable",
                f"no recogniser pool in the Ray cluster at {address}: {type(error).__name__}",
                hint="Start it: `python -m copilot.engines.ray_pool` (docs/how-to/recognisers.md).",
            ) from error

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        """One hypothesis per request, each read by whichever replica has room.

        Raises RecogniserError (``asr.unreachable``, ``asr.refused``).
        """
        return self._crew.ask(requests)

    def replicas(self) -> set[int]:
        """The process of one replica, as the pool happens to choose: for tests and for the curious."""
        return {self._handle.process_id.remote().result(timeout_s=1)}

    def close(self) -> None:
        """Finish what is being asked and leave the cluster, which goes on."""
        self._crew.close()
        leave()

    def _ask(self, request: AsrRequest, deadline: Deadline) -> Hypothesis:
        for attempt in range(1, ATTEMPTS + 1):
            response: Any = self._handle.transcribe.remote(request)
            try:
                answer: Hypothesis = response.result(timeout_s=deadline.left_s())
            except TimeoutError as error:
                response.cancel()
                raise deadline.missed() from error
            except (RayActorError, ReplicaUnavailableError) as error:
                if attempt == ATTEMPTS:
                    raise remote.unreachable(f"ray://{self._address}", error) from error
            except (RayTaskError, RayServeException) as error:
                raise remote.refused(type(error).__name__) from error
            except RayError as error:
                raise remote.unreachable(f"ray://{self._address}", error) from error
            else:
                return answer
        raise AssertionError  # the last attempt returns or raises


def join(address: str, start: RecogniserSettings | None = None) -> None:
    """Become part of the cluster at ``address``; with ``start``, be the cluster, with room for that many replicas."""
    if ray.is_initialized():
        return
    common: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "configure_logging": False}
    if not start:
        ray.init(address=address, **common)
        return
    host, _, port = address.rpartition(":")
    os.environ["RAY_GCS_SERVER_PORT"] = port
    ray.init(
        address="local",
        num_cpus=start.replicas_max * start.threads * start.parallel,  # a promise among replicas, not a limit
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        _node_ip_address=host,
        **common,
    )


def leave() -> None:
    """Leave the cluster, or end it if it is ours."""
    ray.shutdown()


def deploy(folder: Path, settings: RecogniserSettings) -> None:
    """Start the pool, or change it to these settings. Returns when the first replicas are ready."""
    serve.start(proxy_location="Disabled")  # it is called through its handle; there is nothing to reach over HTTP
    deployment: Any = serve.deployment(
        name="Recogniser",
        max_ongoing_requests=2 * settings.batch * settings.parallel,
        max_queued_requests=settings.queue_limit,
        autoscaling_config={
            "min_replicas": settings.replicas_min,
            "max_replicas": max(settings.replicas_min, settings.replicas_max),
            "target_ongoing_requests": settings.batch,
        },
        ray_actor_options={
            "num_cpus": settings.threads * settings.parallel,
            "num_gpus": 0 if settings.device == "cpu" else len(settings.device_index),
        },
        health_check_period_s=HEALTH_PERIOD_S,
    )(Replica)
    serve.run(deployment.bind(str(folder), settings), name=APPLICATION, route_prefix=None)
