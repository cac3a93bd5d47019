"""A face sequence as a Parquet table, one row a frame, and back without loss; a table of biomarkers as Parquet.

What is one for the whole recording, and the header, is JSON in the file's metadata under ``face_atlas``.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction.errors import InputError
from reconstruction.sequence import KIND, STATEMENT, VERSION, FaceSequence
from reconstruction.sequence_elements import ARRAYS, FIELDS, check_arrays, check_fields
from reconstruction.storage import HEADER, parse_json, write_atomically

LARGEST = 2**31  # bytes of the columns, unpacked
_ONCE = ("shape", "shape_sd", "expression_sd", "camera_matrix")
_EVERY = ("time_s", "valid", "quality", "reason")
_AXES = "xyz"


def write_parquet(sequence: FaceSequence, path: str | Path) -> None:
    """Write a sequence: columns ``time_s``, ``valid``, ``quality``, ``reason`` (its name), ``translation_x`` ..,
    ``pose_global_x`` .. and the expressions by name.

    Raises
    ------
    InputError
        pyarrow is not installed, or the sequence is none that can be written.
    """
    pa, pq = _pyarrow()
    fields = check_fields({name: getattr(sequence, name) for name in FIELDS}, path)
    arrays = {name: np.asarray(getattr(sequence, name), element.dtype) for name, element in ARRAYS.items()}
    check_arrays(arrays, fields, path)
    reasons = np.array(sequence.reason_names, np.str_)[sequence.reason]
    columns = {"time_s": sequence.time_s, "valid": sequence.valid, "quality": sequence.quality, "reason": reasons}
    columns |= _named(sequence.translation, "translation")
    for j, joint in enumerate(sequence.joint_names):
        columns |= _named(sequence.pose[:, j], f"pose_{joint}")
    columns |= {name: sequence.expression[:, i] for i, name in enumerate(sequence.expression_names)}
    if len(columns) != len(_EVERY) + 3 + 3 * len(sequence.joint_names) + len(sequence.expression_names):
        raise InputError(f"expected expressions of names unlike those of other columns, but {path} would lose one.")
    once = {name: arrays[name].tolist() for name in _ONCE}
    header = {"kind": KIND, "version": VERSION, "statement": STATEMENT, **fields, "once": once}
    document = json.dumps(header, sort_keys=True, allow_nan=False, ensure_ascii=False)
    table = pa.table({name: np.ascontiguousarray(values) for name, values in columns.items()})
    _write(table.replace_schema_metadata({HEADER: document}), path, pq)


def read_parquet(path: str | Path) -> FaceSequence:
    """Read what `write_parquet` wrote.

    Raises
    ------
    InputError
        The file is missing, damaged, hostile or none of those, or pyarrow is not installed.
    """
    path = Path(path)
    _, pq = _pyarrow()
    if not path.is_file():
        raise InputError(f"expected a Parquet file, but {path} does not exist; check the path.")
    try:
        file = pq.ParquetFile(path)
        if 8 * file.metadata.num_rows * file.metadata.num_columns > LARGEST:  # a few bytes may say so many
            raise ValueError("it unpacks to more than 2 GB")
        header = parse_json((file.schema_arrow.metadata or {}).get(HEADER.encode(), b"{}").decode("utf-8"))
        if not isinstance(header, dict) or header.get("kind") != KIND:
            raise InputError(
                f"expected a Parquet file of parameters, but {path} is another table; only what face-atlas convert "
                "wrote can be read back."
            )
        if type(header.get("version")) is not int or header["version"] > VERSION:
            raise InputError(f"expected parameters of version {VERSION} or older in {path}; update face-atlas.")
        fields = check_fields(header, path)
        table = file.read()
        arrays = _arrays(table, fields, header["once"])
    except InputError:
        raise
    except Exception as error:  # pyarrow raises many things; a hostile file any of them
        brief = f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"
        raise InputError(f"expected a Parquet file, but {path} cannot be read ({brief}); write it anew.") from None
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"expected finite numbers, but {name} in {path} holds NaN or infinity; write it anew.")
    values: dict[str, Any] = check_arrays(arrays, fields, path) | fields
    return FaceSequence(**values)


def tsv_to_parquet(source: str | Path, path: str | Path) -> int:
    """A .tsv table, as of biomarkers, as Parquet: columns of numbers as float64, ``n/a`` as null, the .json beside it
    in the metadata; returns the number of rows.

    Raises
    ------
    InputError
        It is no table, or pyarrow is not installed.
    """
    import pandas as pd

    pa, pq = _pyarrow()
    source = Path(source)
    try:
        frame = pd.read_csv(source, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise InputError(
            f"expected a table of tab-separated columns, but {source} is none ({str(error).splitlines()[0][:80]}); "
            "check the file."
        ) from None
    known = frame.replace("n/a", None)
    columns: dict[str, Any] = {}
    for name in frame:
        numbers = pd.to_numeric(known[name], errors="coerce")
        columns[str(name)] = numbers.astype(float) if (numbers.notna() == known[name].notna()).all() else known[name]
    for name in ("participant_id", "group", "recording"):  # names, even where they look like numbers
        if name in frame:
            columns[name] = known[name]
    table = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
    about = source.with_suffix(".json")
    if about.is_file():
        try:
            said = json.dumps(parse_json(about.read_text("utf-8")), sort_keys=True, ensure_ascii=False)
        except ValueError as error:
            raise InputError(f"expected JSON in {about}, but it is none ({str(error)[:80]}); write it anew.") from None
        table = table.replace_schema_metadata({HEADER: said})
    _write(table, path, pq)
    return len(frame)


def _arrays(table: Any, fields: dict[str, Any], once: dict[str, Any]) -> dict[str, np.ndarray]:
    def column(name: str) -> np.ndarray:
        if table.column_names.count(name) != 1:
            raise ValueError(f"the column {name} is missing or there twice")
        return table.column(name).to_numpy()

    def stacked(names: list[str]) -> np.ndarray:
        out = np.empty((table.num_rows, len(names)), np.float32)
        for i, name in enumerate(names):
            values = column(name)
            if values.dtype != np.float32:
                raise ValueError(f"the column {name} is no float32")
            out[:, i] = values
        return out

    reasons = [fields["reason_names"].index(str(name)) for name in column("reason")]
    pose = [f"pose_{joint}_{axis}" for joint in fields["joint_names"] for axis in _AXES]
    return {
        "time_s": column("time_s").astype(np.float64),
        "valid": column("valid").astype(np.uint8),
        "quality": column("quality").astype(np.float32),
        "reason": np.array(reasons, np.uint8),
        "translation": stacked([f"translation_{axis}" for axis in _AXES]),
        "pose": stacked(pose).reshape(table.num_rows, len(fields["joint_names"]), 3),
        "expression": stacked(list(fields["expression_names"])),
        **{name: np.asarray(once[name], np.float64).astype(np.float32) for name in _ONCE},
    }


def _named(values: np.ndarray, name: str) -> dict[str, np.ndarray]:
    return {f"{name}_{axis}": values[:, i] for i, axis in enumerate(_AXES)}


def _write(table: Any, path: str | Path, pq: Any) -> None:
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    write_atomically(path, stream.getvalue())


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            "expected pyarrow for Parquet, but it is not installed: pip install 'digital-face-atlas[parquet]'"
        ) from error
    return pyarrow, parquet
