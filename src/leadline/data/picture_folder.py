"""Opening a folder of pictures: files listed, labels taken from sub-folders or from a table beside them."""

from __future__ import annotations

from pathlib import Path

from leadline.base.errors import InputError
from leadline.data.decode import READABLE
from leadline.data.folders import SIDES, Arrangement, Files, arrange, list_files
from leadline.data.label_file import Labels, read_labels
from leadline.data.labelled_pictures import Labelled, open_labelled, problem
from leadline.data.packed import PackedFiles
from leadline.data.pixels import PackedImages
from leadline.data.settings import DataSpec
from leadline.record.facts import Guess


def open_folder(root: Path, spec: DataSpec) -> PackedImages:
    """The examples of a folder of pictures; see `ImageFolder` for its forms and errors."""
    if not root.is_dir():
        raise InputError("LL001", f"there is no folder {root}", where=str(root), help="check the path")
    files = list_files(root)
    if not files.pictures:
        raise InputError("LL002", f"{root} holds no picture that can be read", where=str(root), help=f"formats that are read: {READABLE}")
    labelled = _label(root, files, spec)
    labelled.excluded.extend((path, f"is in a format that is not read ({READABLE} are)") for path in files.unread)
    if files.hidden:
        labelled.problems.append(problem("hidden_files", "odd", files.hidden, "hidden files: ignored"))
    return open_labelled(str(root), labelled, spec)


def _label(root: Path, files: Files, spec: DataSpec) -> Labelled:
    """Labels by table where one is named or the pictures lie flat, else by folder."""
    folders = None if spec.labels else arrange(files.pictures, str(root))
    if folders is None or len(set(folders.labels)) < 2:
        table = read_labels(root, files.pictures, files.others, spec)
        if table is not None:
            return _by_table(root, files, table)
    if folders is None or not folders.labels:
        raise InputError(
            "LL014",
            f"{root} holds {len(files.pictures):,} pictures without class folders, and no table of labels lists them",
            where=str(root),
            help=f"put each class in a folder ({root.name}/cat/1.jpg), or name a CSV of file names and labels: data.labels=labels.csv",
        )
    return _by_folder(root, files, folders)


def _by_table(root: Path, files: Files, table: Labels) -> Labelled:
    labelled = Labelled(
        PackedFiles(table.pictures, root=root),
        table.pictures,
        table.labels,
        None,
        table.target,
        columns=table.columns,
        excluded=table.excluded,
        guesses=table.guesses,
    )
    _tell_others(labelled, [name for name in files.others if root / name != table.path])
    return labelled


def _by_folder(root: Path, files: Files, folders: Arrangement) -> Labelled:
    guesses = (
        (Guess(f"classes are the folders in {folders.below}", f"{root.name} holds nothing else", "data.source=FOLDER"),)
        if folders.below
        else ()
    )
    labelled = Labelled(
        PackedFiles(folders.pictures, root=root), folders.pictures, folders.labels, folders.sides, "folder", guesses=guesses
    )
    if folders.loose and _are_all_test(folders):
        text = "pictures of the test folder that stand in no class folder have no label and were not used"
        labelled.problems.append(problem("unlabelled_test", "odd", folders.loose, text))
    else:
        labelled.excluded.extend((path, "stands in no class folder") for path in folders.loose)
    _tell_others(labelled, files.others)
    return labelled


def _are_all_test(folders: Arrangement) -> bool:
    """Whether the pictures without class all lie in a test folder, as competitions give them out."""
    tops = {path.removeprefix(folders.below).split("/")[0].lower() for path in folders.loose}
    return folders.sides is not None and all(SIDES.get(top) == "test" for top in tops)


def _tell_others(labelled: Labelled, others: list[str]) -> None:
    if others:
        labelled.problems.append(problem("other_files", "odd", others, "files that are no pictures: not read"))
