"""Zip files of people who want something else: bombs, paths, links, and damaged ones."""

import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from rustbox_cli.archives import PROGRAM, Bounds, folder_of
from rustbox_cli.errors import CommandError, ExitCode

SMALL = Bounds(10, 4 * 1024 * 1024)


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path, bounds: Bounds = SMALL) -> str:
    with pytest.raises(CommandError) as refused, folder_of(path, bounds):
        pass
    assert refused.value.exit_code == ExitCode.REFUSED
    return refused.value.message


@pytest.mark.parametrize(
    "name",
    ["../out.py", "a/../../out.py", "/etc/cron.d/x", "a\\..\\..\\out.py", "C:/x.py", "a/" * 20 + "x.py", "..", "a:b"],
)
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / "x.zip", {"fine.py": b"1", name: b"2"})
    assert "no path below a folder" in refusal(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_and_a_device_are_refused(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("main.py")
    entry.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "a link, a device, encrypted" in refusal(tmp_path / "x.zip")


def test_a_bomb_is_refused_after_as_many_bytes_as_are_allowed(tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.zip", {"zeros": bytes(64 * 1024 * 1024)})
    assert archive.stat().st_size < 100_000
    tracemalloc.start()
    assert "more than 4 MiB of content" in refusal(archive)
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Overlapped entries")
def test_files_that_share_their_bytes_count_each(tmp_path: Path) -> None:
    """As in a bomb of overlapping entries, where each name of the list leads to the same content."""
    archive = packed(tmp_path / "x.zip", {f"{number}": bytes(1024 * 1024) for number in range(8)})
    raw = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        offsets = [entry.header_offset for entry in opened.infolist()]
        start = opened.start_dir
    head, rest = raw[:start], bytearray(raw[start:])
    for offset in offsets[1:]:
        place = rest.find(struct.pack("<I", offset))
        rest[place : place + 4] = struct.pack("<I", 0)
    archive.write_bytes(head + rest)
    assert refusal(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_another_way_to_pack_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as archive:
        archive.writestr("main.py", b"1")
    assert "not packed by deflate" in refusal(tmp_path / "x.zip")


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    assert "has 11 files; 10 are allowed" in refusal(packed(tmp_path / "x.zip", {f"{n}": b"" for n in range(11)}))


def test_a_long_list_of_names_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(bytes(5_000_000) + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 4_900_000, 0, 0))
    assert "too many files" in refusal(path)
    path.write_bytes(b"PK\6\7" + bytes(16) + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0))
    assert "Zip64" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 100, b"PK\5\6", b"\0" * 100 + b"PK\5\6\0\0"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    assert "is damaged, or no zip file" in refusal(tmp_path / "x.zip")


def test_a_file_whose_sum_is_wrong_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.zip", {"main.py": b"print(1)" * 100})
    raw = bytearray(archive.read_bytes())
    raw[40] ^= 0xFF
    archive.write_bytes(raw)
    assert "is damaged" in refusal(archive)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("main.py", "main.py"), ("main.py", "MAIN.py")])
def test_a_name_that_comes_twice_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    assert "twice" in refusal(tmp_path / "x.zip")


@pytest.mark.parametrize("files", [{"x": b"", "x/y": b""}, {"x/y": b"", "x": b""}])
def test_a_name_that_is_a_file_and_a_folder_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert "cannot be unpacked" in refusal(packed(tmp_path / "x.zip", files))


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.zip", {"main.py": b"1"})
    raw = bytearray(archive.read_bytes())
    raw[6] |= 1
    raw[raw.find(b"PK\1\2") + 8] |= 1
    archive.write_bytes(raw)
    assert "encrypted" in refusal(archive)


def test_one_folder_is_the_content_and_it_is_deleted_afterwards(tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.KPP", {"hello/data/1.in": b"1", "__MACOSX/hello/._x": b"", "hello/.DS_Store": b""})
    with folder_of(archive, PROGRAM) as folder:
        assert folder.name == "hello"
        assert [path.relative_to(folder).as_posix() for path in folder.rglob("*")] == ["data", "data/1.in"]
    assert not folder.exists()


def test_a_folder_stays_as_it_is(tmp_path: Path) -> None:
    with folder_of(tmp_path, PROGRAM) as folder:
        assert folder == tmp_path
    assert tmp_path.exists()
