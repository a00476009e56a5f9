"""Segments: what is written is what is opened, and damage is named."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.errors import StoreDamaged, StoreNotWritable
from indexes.postings import Postings, PostingsBuilder
from indexes.segments import Rows, Segment, merge_segments, open_segment, verify_segment, write_segment


def parts(count: int, seed: int = 0) -> tuple[Rows, np.ndarray, Postings]:
    chance = np.random.default_rng(seed)
    builder = PostingsBuilder()
    for number in range(count):
        builder.add(f"leave policy {chance.integers(5)} days", f"page {number % 3}", "")
    versions = chance.integers(1, 1 << 40, count)
    starts = chance.integers(0, 1_000, count).astype(np.int32)
    vectors = chance.standard_normal((count, 8)).astype(np.float32)
    return Rows(versions, starts, starts + np.int32(9)), vectors, builder.build()


def written(folder: Path, count: int, seed: int = 0) -> Segment:
    write_segment(folder, *parts(count, seed))
    return open_segment(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("count", [0, 1, 7, 5_000])
def test_what_is_written_is_what_is_opened(tmp_path: Path, count: int) -> None:
    rows, vectors, postings = parts(count)
    segment = written(tmp_path / "s", count)
    assert len(segment) == count
    assert segment.rows.versions.tolist() == rows.versions.tolist()
    assert segment.rows.starts.tolist() == rows.starts.tolist()
    assert segment.rows.ends.tolist() == rows.ends.tolist()
    assert segment.vectors.tobytes() == vectors.tobytes()
    assert segment.vectors.shape == (count, 8)
    assert segment.postings.lookup("leav").rows.tolist() == postings.lookup("leav").rows.tolist()
    verify_segment(tmp_path / "s")


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    written(tmp_path / "a", 20)
    written(tmp_path / "b", 20)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_an_open_segment_is_a_map_that_nobody_can_write(tmp_path: Path) -> None:
    segment = written(tmp_path / "s", 3)
    with pytest.raises(ValueError, match="read-only"):
        segment.vectors[0, 0] = 1.0


def test_nothing_is_written_over(tmp_path: Path) -> None:
    written(tmp_path / "s", 3)
    before = contents(tmp_path / "s")
    with pytest.raises(StoreNotWritable) as caught:
        written(tmp_path / "s", 4)
    assert caught.value.hint
    assert contents(tmp_path / "s") == before


def test_parts_that_differ_in_number_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    rows, vectors, postings = parts(4)
    with pytest.raises(ValueError, match="differ in number"):
        write_segment(tmp_path / "s", rows, vectors[:3], postings)
    assert not (tmp_path / "s").exists()


NAMES = sorted(
    ["segment.json", "vectors.npy", "versions.npy", "starts.npy", "ends.npy", "letters.npy", "bounds.npy"]
)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_or_short_file_is_named_at_opening(tmp_path: Path, name: str) -> None:
    written(tmp_path / "s", 6)
    path = tmp_path / "s" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] if name != "segment.json" else whole[:-20])
    with pytest.raises(StoreDamaged, match=name) as short:
        open_segment(tmp_path / "s")
    path.unlink()
    with pytest.raises(StoreDamaged, match=name) as missing:
        open_segment(tmp_path / "s")
    with pytest.raises(StoreDamaged, match=name):
        verify_segment(tmp_path / "s")
    assert short.value.hint
    assert missing.value.hint


def test_every_file_of_a_segment_is_under_its_digests(tmp_path: Path) -> None:
    written(tmp_path / "s", 6)
    files = json.loads((tmp_path / "s" / "segment.json").read_text())["files"]
    assert {*files, "segment.json"} == set(contents(tmp_path / "s"))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "segment.json"])
def test_one_changed_byte_is_named_by_verify(tmp_path: Path, name: str) -> None:
    written(tmp_path / "s", 6)
    path = tmp_path / "s" / name
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(StoreDamaged, match=name) as caught:
        verify_segment(tmp_path / "s")
    assert caught.value.hint


def test_a_header_overwritten_in_place_is_damage_not_a_crash(tmp_path: Path) -> None:
    written(tmp_path / "s", 6)
    path = tmp_path / "s" / "vectors.npy"
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(StoreDamaged):
        open_segment(tmp_path / "s")


def test_a_segment_of_another_format_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "s", 2)
    path = tmp_path / "s" / "segment.json"
    path.write_text(path.read_text().replace('"format": 3', '"format": 1'))
    with pytest.raises(StoreDamaged, match="format"):
        open_segment(tmp_path / "s")


def test_a_record_without_its_files_is_damage_not_a_crash(tmp_path: Path) -> None:
    written(tmp_path / "s", 2)
    (tmp_path / "s" / "segment.json").write_text('{"format": 1}')
    with pytest.raises(StoreDamaged, match=r"segment\.json"):
        open_segment(tmp_path / "s")


@settings(max_examples=20)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=3), st.data())
def test_merging_segments_is_writing_the_kept_rows_anew(counts: list[int], data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        segments = [written(folder / f"{n}", count, n) for n, count in enumerate(counts)]
        masks = [
            np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
            for count in counts
        ]
        merge_segments(folder / "merged", list(zip(segments, masks, strict=True)))
        again = [np.ones(int(mask.sum()), np.bool_) for mask in masks]
        for n, (segment, mask) in enumerate(zip(segments, masks, strict=True)):
            merge_segments(folder / f"kept{n}", [(segment, mask)])
        kept = [open_segment(folder / f"kept{n}") for n in range(len(counts))]
        merge_segments(folder / "again", list(zip(kept, again, strict=True)))
        assert contents(folder / "merged") == contents(folder / "again")
        merged = open_segment(folder / "merged")
        expected = [segment.vectors[mask] for segment, mask in zip(segments, masks, strict=True)]
        assert merged.vectors.tobytes() == np.concatenate(expected).tobytes()
        verify_segment(folder / "merged")


def test_merging_everything_gives_the_files_of_a_segment_written_at_once(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", 9)
    merge_segments(tmp_path / "merged", [(whole, np.ones(9, np.bool_))])
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")
