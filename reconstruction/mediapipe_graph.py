"""One of MediaPipe's bundled graphs, run directly: its own classes hide what is needed here, or read it slowly."""

import os
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from reconstruction.quiet import quiet_stderr

_STEP_US = 33_333  # a graph wants rising time stamps; nothing in these depends on their spacing
_POINT = np.frombuffer(b"\x0a\x0f\x0d----\x15----\x1d----", np.uint8)  # see `read_landmarks`
_TAGS = np.array([byte != ord("-") for byte in _POINT])


class MediaPipeGraph:
    """A graph that takes pictures; a context manager. Its state starts empty.

    Parameters
    ----------
    path : of the graph, within MediaPipe
    outputs : {stream: function that is called with each of its packets}
    inputs : side packets, by name
    change : called with the graph's expanded configuration, to edit it
    """

    def __init__(
        self,
        path: str,
        outputs: dict[str, Callable[[Any], None]],
        inputs: dict[str, bool | int] | None = None,
        change: Callable[[Any], None] | None = None,
    ):
        os.environ.setdefault("GLOG_minloglevel", "3")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with quiet_stderr():
            import mediapipe
            from mediapipe.python._framework_bindings import resource_util

            root = os.path.dirname(os.path.dirname(mediapipe.__file__))
            resource_util.set_resource_dir(root)
            config = _configuration(os.path.join(root, "mediapipe", path))
            if change:
                change(config)
            self._mediapipe: Any = mediapipe
            self._graph: Any = mediapipe.CalculatorGraph(graph_config=config)
            for stream, take in outputs.items():
                self._graph.observe_output_stream(stream, lambda _, packet, take=take: take(packet))
            create = {bool: mediapipe.packet_creator.create_bool, int: mediapipe.packet_creator.create_int}
            self._graph.start_run({name: create[type(value)](value) for name, value in (inputs or {}).items()})
            self._graph.wait_until_idle()
        self._time = 0

    def run(self, rgb: np.ndarray) -> None:
        """Take in a picture (H, W, 3) uint8; when done, every output has been called."""
        image = self._mediapipe.packet_creator.create_image_frame(
            data=np.ascontiguousarray(rgb), image_format=self._mediapipe.ImageFormat.SRGB, copy=True
        )
        self._time += _STEP_US
        self._graph.add_packet_to_input_stream("image", image.at(self._time))
        self._graph.wait_until_idle()

    def close(self) -> None:
        """Free the networks."""
        if self._graph is not None:
            self._graph.close()
            self._graph = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _configuration(path: str) -> Any:
    """Of the graph at `path`, its subgraphs expanded."""
    from mediapipe.framework import calculator_pb2
    from mediapipe.python._framework_bindings import validated_graph_config

    validated = validated_graph_config.ValidatedGraphConfig()
    validated.initialize(binary_graph_path=path)
    config = calculator_pb2.CalculatorGraphConfig()
    config.ParseFromString(validated.binary_config)
    return config


def to_float(packet: Any) -> float:
    """A packet's number."""
    from mediapipe.python import packet_getter

    return packet_getter.get_float(packet)


def to_messages(packet: Any) -> list[bytes]:
    """A packet's messages, serialized."""
    from mediapipe.python._framework_bindings import _packet_getter

    return _packet_getter._get_serialized_proto_list(packet)


def read_landmarks(message: bytes) -> np.ndarray:
    """(K, 3) float32, the x, y and z of a serialized ``NormalizedLandmarkList``.

    Protocol buffers' own classes take long over so many points, and the graph writes them in one form: for each point
    a field 1 of 15 bytes, in which fields 1, 2 and 3 of four bytes each. Any other form is left to the classes.
    """
    if len(message) % len(_POINT) == 0:
        rows = np.frombuffer(message, np.uint8).reshape(-1, len(_POINT))
        if (rows[:, _TAGS] == _POINT[_TAGS]).all():
            return rows[:, ~_TAGS].copy().view("<f4")
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    points = NormalizedLandmarkList.FromString(message).landmark
    return np.array([(point.x, point.y, point.z) for point in points], np.float32).reshape(-1, 3)
