"""Every error code, with the page that `leadline rule CODE` prints: what it means and what usually helps."""

from __future__ import annotations

from typing import NamedTuple


class Page(NamedTuple):
    """One error's page: a title and what to know about it."""

    title: str
    text: str


CODES: dict[str, Page] = {
    "LL000": Page(
        "leadline itself failed",
        "Something happened that leadline did not foresee, so this is its fault and not yours. The same command with --debug shows where; "
        "please report it with what it prints.",
    ),
    "LL001": Page("path not found", "Nothing stands at the path you named. Check the spelling and the folder you are in."),
    "LL002": Page("nothing to read", "The source was opened and holds no example of a kind leadline reads."),
    "LL003": Page(
        "too many bad examples",
        "More than 0.1 % of the examples cannot be read or have no target. Nothing is dropped in silence, and a larger share is never "
        "dropped without your word: repair the files, or allow the share with data.max_excluded.",
    ),
    "LL004": Page("unknown kind of source", "No source on the shelf recognises what you named. `leadline list sources` shows what is."),
    "LL005": Page("text encoding", "The file is not in the encoding it was read with. Name it with data.encoding."),
    "LL006": Page("download failed", "A remote set or model was named and the network did not give it. Local files need no network."),
    "LL007": Page("folder cannot be written", "The run folder's parent is read-only. Choose another with --out."),
    "LL008": Page("disk full", "There is no room left. The last good state is kept; `leadline resume` goes on when there is room."),
    "LL009": Page("run folder taken", "The folder given with --out holds a run already. Runs are never overwritten."),
    "LL010": Page("run in use", "Another process works on this run folder. Two processes on one run would spoil it."),
    "LL011": Page("not a run folder", "The folder holds no readable run.json, or what it holds is damaged."),
    "LL012": Page("the run has changed", "Recipe, data or versions differ from the start of the run. --allow-change goes on."),
    "LL013": Page("malformed table", "Rows of the table do not have the same number of cells, or it has no columns."),
    "LL014": Page("labels needed", "The task needs class labels and the data has none."),
    "LL015": Page("one class only", "All examples carry the same label: there is nothing to tell apart."),
    "LL016": Page("class too small", "A class has too few examples to stand in training, validation and test."),
    "LL017": Page("no such column", "The table has no column of that name."),
    "LL018": Page("target missing", "Rows without a target cannot teach and cannot be scored."),
    "LL019": Page("column without values", "A column that was asked for holds no value in any row."),
    "LL020": Page("text where numbers are expected", "A column used as a number holds text."),
    "LL021": Page("unknown key", "The recipe holds a key that does not exist; a misspelt key would otherwise be ignored in silence."),
    "LL022": Page("value not valid", "A value has the wrong type or lies outside its limits."),
    "LL023": Page("unknown name", "There is no part of that name. `leadline list` shows what there is."),
    "LL024": Page("missing extra", "The part needs a package that is not installed."),
    "LL025": Page("batch larger than the data", "One batch wants more examples than the training split has."),
    "LL026": Page("device not available", "The device asked for is not there. `leadline env` shows what is."),
    "LL027": Page("split not possible", "The split asked for leaves a side empty or a class missing."),
    "LL029": Page("input does not match the model", "The input lacks columns, or is of another kind than the model was trained on."),
    "LL030": Page("values in conflict", "Two values you gave cannot both hold. Neither was changed for you."),
    "LL031": Page(
        "non-finite loss", "A loss or gradient is NaN or infinite. Training stopped before the step; the last good state is kept."
    ),
    "LL032": Page("out of memory", "One example at a time does not fit either. A smaller model or input is needed."),
    "LL033": Page("preflight found a blocking problem", "A check that was really run says that training cannot succeed as it is set up."),
    "LL034": Page("not a recipe", "The file is not valid YAML 1.2, or not a mapping."),
    "LL035": Page("command line", "The words on the command line do not fit the verb. `leadline VERB --help` shows what it takes."),
    "LL036": Page("data worker died", "A process that reads data ended by itself, usually killed for memory."),
    "LL037": Page("stopped by a signal", "The state is saved; `leadline resume` goes on at the very next step."),
    "LL038": Page("checkpoint damaged", "No checkpoint of the run verifies against its manifest."),
    "LL039": Page(
        "data file damaged", "The file is not what its name says, or not whole: wrong first bytes, wrong length, broken packing."
    ),
}
