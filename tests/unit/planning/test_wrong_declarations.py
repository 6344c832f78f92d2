"""What a person can declare wrongly, and the one line that says so: (file, change, what the line says).

A change is a text and what stands in its place, or a text to be put at the end. Beside each kind stands what is valid.
"""

import shutil
from pathlib import Path

import pytest

from papertables.base.errors import UserError
from papertables.planning.plan import make_plan
from tests.unit.plans import CONFIG, REPOSITORY

ATTRVR, SMM, ATPROMPT = (f"workflow/papers/{paper}/protocol.yaml" for paper in ("attrvr", "smm", "atprompt"))
COMMON_GROUND = "workflow/papers/common/protocol.yaml"
TABLE, CURVES, K = (f"workflow/papers/attrvr/{name}.yaml" for name in ("table1", "convergence", "k"))
PRINTED = "workflow/papers/attrvr/published/table1.csv"
MINI = "workflow/scales/mini.yaml"
VP_ROW = "vp: {label: VP, method: vp, source: experiments/fs_vp.py}"
PRINTED_ROW = "argue: &printed {label: ArGue, method: null,"
TEACHER_ROW = "teacher: {method: promptsrc_teacher, backbone: clip_vit_l14}"
COMMON = "training: {epochs: 8, optimizer: {lr: 2}}"
FIXED = "fixed: {backbone: clip_vit_b16}"

Change = tuple[str, str] | str | bytes

FILES: list[tuple[str, Change, str]] = [
    (TABLE, "title: again\n", "key 'title' stands twice, again in line"),
    (MINI, "threads: 4\n", "key 'threads' stands twice"),
    (MINI, ("threads: 1", "threads: 1\nthreads: 2"), "key 'threads' stands twice, again in line 5"),
    (ATTRVR, ("epochs: 200", "epochs: 200\n  epochs: 100"), "key 'epochs' stands twice"),
    (TABLE, "rows: [\n", "not valid YAML"),
    (TABLE, b"title: \xff\n", "not UTF-8 (byte 0xff in line 8): save it as UTF-8"),
    (TABLE, b"", "must hold keys and values"),
    ("workflow/papers/attrvr/table9.yml", "title: x\n", "only files that end in .yaml are read: name it table9.yaml"),
    ("workflow/papers/attrvr/table9.YAML", "title: x\n", "only files that end in .yaml are read"),
    ("workflow/papers/attrvr/Table9.yaml", "title: x\n", "id is 'attrvr_Table9': it must fit"),
    (
        "workflow/papers/other/protocol.yml",
        "title: x\n",
        "only files that end in .yaml are read: name it protocol.yaml",
    ),
    ("workflow/papers/other/table1.yaml", "title: x\n", "there is no protocol.yaml"),
    ("workflow/scales/mini.yml", "title: x\n", "only files that end in .yaml are read: name it mini.yaml"),
    (TABLE, "id: other\n", "'id' follows from where the file lies: leave it out"),
    (TABLE, "paper: blm\n", "'paper' follows from where the file lies"),
    (MINI, "name: other\n", "'name' follows from where the file lies"),
    (ATTRVR, "id: other\n", "'id' follows from where the file lies"),
]

PAPERS: list[tuple[str, Change, str]] = [
    (ATTRVR, "template: This is a photo of {}.\n", "unknown key 'template' (did you mean"),
    (ATTRVR, ("title: ", "titel: "), "unknown key 'titel' (did you mean 'title'?)"),
    (
        ATTRVR,
        ("venue: ICLR 2025\ncode: tmlr-group/AttrVR at ef63be6\norder: 1\n", ""),
        "venue, code, order are missing",
    ),
    (ATTRVR, ("venue: ICLR 2025", "venue: ''"), "venue: it must be one line that is not empty"),
    (ATTRVR, ("fgvc_aircraft, caltech101", "fgvc_aircrafts, caltech101"), "datasets: unknown dataset 'fgvc_aircrafts'"),
    (ATTRVR, ("fgvc_aircraft, caltech101", "caltech101, caltech101"), "datasets: each may be named once"),
    (ATPROMPT, ("ucf101]\nprotocol", "[ucf101]]\nprotocol"), "datasets.10 is ['ucf101']: it must be a text"),
    (
        ATTRVR,
        ("attributes: gpt3", "attributes: gpt-3"),
        "attributes: unknown attribute source 'gpt-3' (did you mean 'gpt3'",
    ),
    (ATTRVR, ("seeds: [1, 2, 3]", "seeds: [1, 2, 2]"), "seeds: each may be named once"),
    (ATTRVR, ("seeds: [1, 2, 3]", "seeds: []"), "seeds is empty: name at least one"),
    (ATTRVR, ("seeds: [1, 2, 3]", "seeds: [true]"), "seeds.0: it must be a number (found True)"),
    (ATTRVR, ("shots: 16", "shots: 0"), "shots must be more than 0, not 0"),
    (ATTRVR, ("shots: 16\n", ""), "shots is missing: protocol few_shot"),
    (
        ATTRVR,
        ("protocol: few_shot", "protocol: fewshot"),
        "protocol: unknown value 'fewshot' (did you mean 'few_shot'?)",
    ),
    (ATTRVR, ("lr: 40", "lr: -40"), "training.optimizer.lr must be more than 0, not -40"),
    (ATTRVR, ("lr: 40", "lr: .nan"), "training.optimizer.lr is nan: it must be a finite number"),
    (ATTRVR, ("lr: 40", "lr: .inf"), "training.optimizer.lr is inf: it must be a finite number"),
    (ATTRVR, ("lr: 40", "lr: true"), "training.optimizer.lr: it must be a number (found True)"),
    (ATTRVR, ("momentum: 0.9", "momentum: 9"), "training.optimizer.momentum must be less than 1, not 9"),
    (ATTRVR, ("momentum: 0.9", "momentum: -1"), "training.optimizer.momentum must be at least 0"),
    (ATTRVR, ("momentum: 0.9", "weight_decay: -1"), "training.optimizer.weight_decay must be at least 0"),
    (ATTRVR, ("epochs: 200", "epochs: 0"), "training.epochs must be more than 0, not 0"),
    (ATTRVR, ("epochs: 200", "epochs: true"), "training.epochs: it must be a number"),
    (ATTRVR, ("{name: cosine_step}", "{name: multistep}"), "schedule multistep needs milestones"),
    (SMM, ("milestones: [0.5, 0.72]", "milestones: [50, 72]"), "training.schedule.milestones.0 must be less than 1"),
    (
        SMM,
        ("milestones: [0.5, 0.72]", "milestones: [0.72, 0.5]"),
        "milestones: each must be larger than the one before",
    ),
    (SMM, ("gamma: 0.1}\n  precision", "gamma: 0}\n  precision"), "training.schedule.gamma must be more than 0"),
    (SMM, ("margin: 32", "margin: -1"), "images.margin must be at least 0, not -1"),
    (ATTRVR, ("label: AR,", "label: VP,"), "two methods have label 'VP'"),
    (
        ATTRVR,
        (VP_ROW, VP_ROW.replace("method: vp", "method: vpp")),
        "methods.vp: unknown method 'vpp' (did you mean 'vp'",
    ),
    (
        ATTRVR,
        (VP_ROW, VP_ROW.replace("source", "options: {padd: 3}, source")),
        "methods.vp.options: unknown option 'padd'",
    ),
    (
        ATTRVR,
        (VP_ROW, VP_ROW.replace("source", "options: {pad: big}, source")),
        "pad is 'big': it must be a number of pixels",
    ),
    (
        ATTRVR,
        (VP_ROW, VP_ROW.replace("source", "training: {epoch: 3}, source")),
        "methods.vp.training: unknown key 'epoch'",
    ),
    (
        ATTRVR,
        (VP_ROW, VP_ROW.replace("source", "training: {epochs: 0.5}, source")),
        "methods.vp.training: epochs is 0.5",
    ),
    (ATTRVR, (VP_ROW, VP_ROW.replace("source", "images: {margin: x}, source")), "methods.vp.images: margin is 'x'"),
    (ATTRVR, (VP_ROW, VP_ROW.replace(", source: experiments/fs_vp.py", "")), "methods.vp.source is missing: add it"),
    (ATPROMPT, (PRINTED_ROW, f"{PRINTED_ROW} options: {{context: 2}},"), "trains nothing: leave out options"),
    (
        ATPROMPT,
        (f"    {TEACHER_ROW}\n", ""),
        "methods.promptkd: method promptkd: name a row and its backbone under 'teacher'",
    ),
    (
        ATPROMPT,
        (TEACHER_ROW, TEACHER_ROW.replace("promptsrc_teacher", "promptsrc_teachr")),
        "methods.promptkd.teacher: unknown method 'promptsrc_teachr' (did you mean 'promptsrc_teacher'?",
    ),
    (
        ATPROMPT,
        (TEACHER_ROW, TEACHER_ROW.replace("promptsrc_teacher", "maple")),
        "methods.promptkd.teacher: maple has no class vectors: take a row of method promptsrc",
    ),
    (ATPROMPT, ("    label: MaPLe\n", f"    label: MaPLe\n    {TEACHER_ROW}\n"), "method maple: leave 'teacher' out"),
    (
        ATTRVR,
        ("  shared_seed:", "  shared_seeds:"),
        "fidelity: unknown switch 'shared_seeds' (did you mean 'shared_seed'",
    ),
    (
        ATTRVR,
        ("published: replacement", "published: with"),
        "fidelity: published: attribute_sampling: unknown value 'with'",
    ),
    (ATPROMPT, ("\nsearch:", "\nsearches_as: atprompt\nsearch:"), "searches_as: the paper has a search of its own"),
    (COMMON_GROUND, ("searches_as: atprompt", "searches_as: atprom"), "unknown paper with a search 'atprom' (did you"),
    (ATPROMPT, ("recipe:\n    default: origin", "recipe:\n    default: original"), "default: unknown value 'original'"),
    (SMM, ("gtsrb_training_set:\n    default", "protocol:\n    default"), "unknown key 'gtsrb_training_set'"),
    (ATPROMPT, ("\nsearch:", "\nsearch:\n  lrr: 1"), "unknown key 'search.lrr' (did you mean 'lr'?)"),
    (SMM, ("{options.inner: 32}", "{options.inner: -2}"), "adjust: options: inner is -2"),
    (
        SMM,
        ("{training.batch_size: 64}", "{training.batch_size: 0}"),
        "adjust: training: batch_size must be more than 0",
    ),
    (SMM, ("{dataset: [dtd, oxford_pets]}", "{dataset: []}"), "adjust.0.when.dataset is empty: name at least one"),
    (SMM, ("{training.batch_size: 64}", "{}"), "adjust.0.set is empty: name at least one"),
    (SMM, ("{options.inner: 32}", "{options.lam: 0.5}"), "options.lam: none of the methods"),
]

SCALES: list[tuple[str, Change, str]] = [
    (MINI, ("  attrvr:\n", "  attrrv:\n"), "papers: unknown paper 'attrrv' (did you mean 'attrvr'?)"),
    (MINI, ("seeds: [1, 2, 3]", "seeds: [1, 1]"), "seeds: each may be named once"),
    (MINI, ("runs_per_job: 64", "runs_per_job: 0"), "runs_per_job must be at least 1, not 0"),
    (MINI, ("threads: 1", "threads: true"), "threads is True: it must be a whole number"),
    (MINI, ("threads: 1", "threads: 1\nworld_seed: -1"), "world_seed must be at least 0"),
    (MINI, ("threads: 1", "threads: 1\nshots: -2"), "shots must be more than 0, not -2"),
    (MINI, ("device: cpu", "device: gpu"), "device: unknown value 'gpu' (did you mean 'cpu'?)"),
    (MINI, ("threads: 1\ndevice: cpu\n", ""), "threads, device are missing: add them"),
    (
        MINI,
        ("[mini_digits, mini_signs, mini_cloths", "[mini_digit, mini_signs, mini_cloths"),
        "papers.attrvr.datasets: unknown",
    ),
    (MINI, ("[mini_digits, mini_signs, mini_cloths", "[mini_signs, mini_signs"), "datasets: each may be named once"),
    (
        MINI,
        ("{dtd: mini_cloths, f", "{dtdd: mini_cloths, f"),
        "dataset_substitutes: unknown dataset 'dtdd' (did you mean",
    ),
    (
        MINI,
        ("{dtd: mini_cloths, f", "{dtd: mini_cloth, f"),
        "papers.attrvr.dataset_substitutes: unknown dataset 'mini_cloth'",
    ),
    (MINI, ("clip_rn101: null", "clip_rn110: null"), "papers.attrvr.backbones: unknown backbone 'clip_rn110'"),
    (
        MINI,
        ("clip_vit_b16: mini-vit,", "clip_vit_b16: mini_vit,"),
        "backbones: unknown backbone 'mini_vit' (did you mean 'mini-vit'",
    ),
    (MINI, ("gpt3: mini", "gpt33: mini"), "papers.attrvr.attributes: unknown attribute source 'gpt33'"),
    (MINI, ("gpt3: mini", "gpt3: minni"), "papers.attrvr.attributes: unknown attribute source 'minni'"),
    (MINI, ("fraction: 0.5", "fraction: 1.5"), "papers.blm.fraction must be at most 1, not 1.5"),
    (MINI, ("fraction: 0.5", "fraction: 0"), "papers.blm.fraction must be more than 0, not 0"),
    (MINI, ("fraction: 0.5", "fraction: .nan"), "papers.blm.fraction is nan: it must be a finite number"),
    (MINI, (COMMON, "training: {epoch: 8}"), "papers.attrvr.training: unknown key 'epoch' (did you mean 'epochs'?)"),
    (MINI, (COMMON, "training: {optimizer: {lr: -2}}"), "papers.attrvr.training: optimizer.lr must be more than 0"),
    (MINI, (COMMON, "training: {epochs: many}"), "papers.attrvr.training: epochs is 'many'"),
    (MINI, (COMMON, f"{COMMON}\n    search: {{epochs: 2}}"), "papers.attrvr.search: paper attrvr searches nothing"),
    (MINI, ("&searches {epochs: 12", "&searches {epoch: 12"), "papers.atprompt.search: unknown key 'epoch'"),
    (MINI, ("&searches {epochs: 12", "&searches {epochs: 0"), "papers.atprompt.search: epochs must be more than 0"),
    (
        MINI,
        ("{options.patch: [1]", "{options.patches: [1]"),
        "papers.smm.without: unknown option 'patches' (did you mean 'patch'",
    ),
    (
        MINI,
        ("{options.patch: [1]", "{options.patch: ['1']"),
        "without: options: patch is '1': it must be one of 1, 2, 4",
    ),
    (MINI, ("{options.patch: [1]", "{options.patch: []"), "without.options.patch is empty: name at least one"),
    (MINI, ("{options.patch: [1]", "{backbones: [resnet18]"), "papers.smm.without: unknown setting 'backbones'"),
    (
        MINI,
        ("[coop, coop_atp]}, set: {training.epochs: 15}", "[coop]}, set: {training.epochs: 1.5}"),
        "adjust: training: epochs",
    ),
    (MINI, ("[coop, coop_atp]}, set: {training.epochs: 15}", "[coop]}, set: {dataset: dtd}"), "a paper alone sets it"),
]

ARTEFACTS: list[tuple[str, Change, str]] = [
    (TABLE, ("title: ", "titel: "), "unknown key 'titel' (did you mean 'title'?)"),
    (TABLE, "kind: figure\n", "a figure needs a drawing: add one of lines, selection, curves,"),
    (TABLE, "drawing: curves\n", "drawing is of figures: write kind: figure, or leave it out"),
    (TABLE, ("values: [zero_shot, attr_zs, vp, ar, attrvr]", "values: vp"), "it must be all or a list, such as [vp]"),
    (TABLE, ("vary: method", "vary: methods"), "rows.vary: unknown setting 'methods' (did you mean 'method'?)"),
    (TABLE, ("values: [", "values: [vp, "), "rows.values: each may be named once"),
    (K, ("vary: options.k, values: [", "vary: options.k, values: [true, "), "columns.values.0"),
    (
        K,
        ("vary: options.k, values: [", "vary: options.k, values: [0, "),
        "columns: options: k must be at least 1, not 0",
    ),
    (
        K,
        ("vary: options.k, values: [", "vary: options.kk, values: ["),
        "columns: unknown option 'kk' (did you mean 'k'?)",
    ),
    (
        TABLE,
        (FIXED, "fixed: {backbone: clip_vit_b16, method: vp}"),
        "fixed: 'method' is set by rows: leave it out of one",
    ),
    (
        TABLE,
        (FIXED, "fixed: {backbone: clip_vit_b16, shots: 0}"),
        "fixed: shots is 0: it must be a whole number, at least 1",
    ),
    (TABLE, (FIXED, "fixed: {backbone: clip_vit_b16, shots: many}"), "fixed: shots is 'many'"),
    (
        TABLE,
        (FIXED, "fixed: {backbone: clip_vit_b16, fraction: 1.5}"),
        "fixed: fraction is 1.5: it must be a number more than 0",
    ),
    (TABLE, (FIXED, "fixed: {backbone: clip_vit_b16, fidelity: fixed}"), "fixed: unknown fidelity 'fixed'"),
    (
        TABLE,
        (FIXED, "fixed: {backbone: clip_vit_b16, measure: acc}"),
        "fixed: unknown measure 'acc' (did you mean 'accuracy'",
    ),
    (TABLE, (FIXED, "fixed: {backbone: clip_vit_b16, protocol: fewshot}"), "fixed: unknown protocol 'fewshot'"),
    (
        TABLE,
        (FIXED, "fixed: {backbone: clip_vit_b16, attributes: gpt5}"),
        "fixed: unknown attributes 'gpt5' (did you mean 'gpt3'",
    ),
    (
        TABLE,
        (FIXED, "fixed: {backbone: clip_vit_b16, shot: 2}"),
        "fixed: unknown setting 'shot' (did you mean 'shots'?)",
    ),
    (TABLE, (FIXED, "fixed: {backbone: clip_vit_b16, training.epoch: 2}"), "fixed: training: unknown key 'epoch'"),
    (
        TABLE,
        (FIXED, "fixed: {backbone: clip_vit_b16, training.optimizer.lr: 0}"),
        "training: optimizer.lr must be more than 0",
    ),
    (TABLE, (FIXED, "fixed: {backbone: clip_vit_b16, images.margin: x}"), "fixed: images: margin is 'x'"),
    (TABLE, (FIXED, "fixed: {backbone: clip_vit_b16, options.pad: x}"), "fixed: options: pad is 'x'"),
    (
        TABLE,
        (FIXED, "fixed: {backbone: clip_vit_b17}"),
        "fixed: unknown backbone 'clip_vit_b17' (did you mean 'clip_vit_b16'",
    ),
    (TABLE, (FIXED, "fixed: {}"), "no backbone given: name it on an axis or under 'fixed'"),
    (TABLE, "quantities: [train_loss]\n", "quantities are of drawing 'curves': leave them out"),
    (CURVES, "quantities: [train_loss, train_loss]\n", "quantities: each may be named once"),
    (CURVES, "pool: {vary: dataset, values: [dtd]}\n", "drawing 'curves' shows single runs: leave out 'pool'"),
    (CURVES, ("drawing: curves", "drawing: curve"), "drawing: unknown value 'curve' (did you mean 'curves'?)"),
    (TABLE, ("average: true", "average_without: [dtd]"), "average_without needs average: true"),
    (TABLE, ("average: true", "average: true\naverage_without: [dtdd]"), "average_without: unknown dataset 'dtdd'"),
    (TABLE, ("columns: {vary: dataset, values: all}", "columns: {vary: shots, values: all}"), "list its values"),
    (
        TABLE,
        ("columns: {vary: dataset, values: all}", "columns: {vary: dataset, values: [dtd, dtd]}"),
        "may be named once",
    ),
    (
        TABLE,
        ("columns: {vary: dataset, values: all}", "columns: {vary: dataset, values: []}"),
        "columns.values is empty",
    ),
    (TABLE, ("columns: {vary: dataset, values: all}", "columns: {vary: dataset, values: [null]}"), "columns.values.0"),
    (
        TABLE,
        ("columns: {vary: dataset, values: all}", "columns: {vary: dataset, values: every}"),
        "it must be all or a list, such as [every]",
    ),
    (
        TABLE,
        ("columns: {vary: dataset, values: all}", "columns: {vary: dataset, without: [x]}"),
        "without: unknown dataset 'x'",
    ),
    (
        TABLE,
        ("columns: {vary: dataset, values: all}", "columns: {vary: dataset, values: [{set: {}}]}"),
        "it sets nothing",
    ),
    (
        TABLE,
        ("columns: {vary: dataset, values: all}", "columns: {vary: method, values: [vp]}"),
        "vary method: each takes another",
    ),
    (
        TABLE,
        (
            "columns: {vary: dataset, values: all}",
            "columns: {vary: dataset, values: [{lable: x, set: {dataset: dtd}}]}",
        ),
        "unknown key 'columns.values.0.lable' (did you mean 'label'",
    ),
    (
        TABLE,
        (
            "columns: {vary: dataset, values: all}",
            "columns: {vary: dataset, values: [{label: 'a\n\n  b', set: {dataset: dtd}}]}",
        ),
        "columns.values.0.label: it must be one line that is not empty",
    ),
    ("workflow/papers/smm/table6.yaml", ("vary: dataset", "vary: backbone"), "list its values"),
    ("workflow/papers/smm/table6.yaml", ("rows: {vary: dataset, values: all}\n", ""), "computed 'datasets' needs rows"),
    ("workflow/papers/smm/table6.yaml", "average: true\n", "computed 'datasets' takes no average: leave it out"),
    ("workflow/papers/atprompt/table12.yaml", (FIXED, "fixed: {}"), "it shows searches: name their backbone"),
    (
        "workflow/papers/atprompt/search.yaml",
        "columns: {vary: measure, values: [base]}\n",
        "takes rows that vary dataset, and no columns",
    ),
    ("workflow/papers/smm/figure4.yaml", "part: train\n", "part is of drawings that inspect runs: leave it out"),
    ("workflow/papers/smm/figure4.yaml", "classes: [dog]\n", "classes are of drawings of classes: leave them out"),
    ("workflow/papers/smm/figure2.yaml", "embeds: features\n", "embeds is of drawing 'embeddings': leave it out"),
    ("workflow/papers/attrvr/embeddings.yaml", "part: train\n", "part is train: shown are runs that train on whole"),
    ("workflow/papers/smm/table10.yaml", ("over: full, ", ""), "measure gain is over another method: name both"),
    ("workflow/papers/smm/table10.yaml", ("over: full", "over: fool"), "unknown over 'fool' (did you mean 'full'?)"),
    ("workflow/papers/atprompt/table3.yaml", ("anchors: searched", "anchors: serched"), "unknown anchors 'serched'"),
    (
        "workflow/papers/smm/fidelity.yaml",
        ('original_size: "128"', 'original_size: "64"'),
        "unknown original_size '64'",
    ),
    (
        "workflow/papers/atprompt/plain_rows.yaml",
        ("recipe: vanilla", "recipe: vanila"),
        "rows: unknown recipe 'vanila'",
    ),
]

PUBLISHED: list[tuple[str, Change, str]] = [
    (TABLE, ("file: table1.csv", "file: tabel1.csv"), "no such file of published numbers (did you mean 'table1.csv'?)"),
    (TABLE, ("file: table1.csv", "file: ../../blm/published/padding.csv"), "without a path"),
    (TABLE, ("file: table1.csv", "file: table1"), "it must be the name of a .csv file"),
    (TABLE, ("file: table1.csv", "file: table1.csv, metric: accuracy"), "metric: unknown value 'accuracy'"),
    (TABLE, ("file: table1.csv", "file: table1.csv, measure: base"), "no cell shows base; shown are accuracy"),
    (
        TABLE,
        ("average: Average(12)", "average: Average(13)"),
        "average: unknown data set 'Average(13)' (did you mean 'Average(12)'",
    ),
    (PRINTED, (",value,", ",vaule,"), "column 'value' is missing, 'vaule' (did you mean 'value'?) is none of them"),
    (PRINTED, (",", ";"), "separated by semicolons or tabs"),
    (PRINTED, b"\xff\n", "not UTF-8"),
    (PRINTED, ("metric,value,std", "metric,value,value"), "column 'std' is missing"),
    (PRINTED, (",acc,32.1,", ",acc,321,"), "value is '321': it must be a percentage from 0 to 100"),
    (PRINTED, (",acc,32.1,", ",acc,nan,"), "value is 'nan': it must be a number, or empty"),
    (PRINTED, (",acc,32.1,", ",acc,inf,"), "value is 'inf': it must be a number, or empty"),
    (PRINTED, (",acc,32.1,", ",acc,-1,"), "value is '-1': it must be a percentage"),
    (PRINTED, (",acc,32.1,", ",acc,32.1%,"), "value is '32.1%': it must be a number"),
    (PRINTED, (",acc,32.1,", ",acc,32_1,"), "value is '32_1': it must be a number"),
    (PRINTED, (",acc,32.1,,", ",acc,32.1,-2,"), "std is '-2': it must be a percentage"),
    (PRINTED, (",acc,32.1,", ",acc,32,1,"), "more cells than columns; quote what holds a comma"),
    (
        PRINTED,
        (",FGVCAircraft,", ",FGVC Aircraft,"),
        "dataset: unknown label 'FGVC Aircraft' (did you mean 'FGVCAircraft'?)",
    ),
    (
        PRINTED,
        (",CLIP ViT-B/16,", ",CLIP ViT B/16,"),
        "backbone: unknown label 'CLIP ViT B/16' (did you mean 'CLIP ViT-B/16'?)",
    ),
    (PRINTED, "AttrVR,T1\n", "fewer cells than columns"),
]

WRONG = [*FILES, *PAPERS, *SCALES, *ARTEFACTS, *PUBLISHED]

VALID: list[tuple[str, Change]] = [
    (TABLE, "# a remark\n"),
    (ATTRVR, ("lr: 40", "lr: 1.0e-3")),
    (ATTRVR, ("momentum: 0.9", "momentum: 0")),
    (ATTRVR, (VP_ROW, VP_ROW.replace("source", "options: {pad: 28.5}, training: {epochs: 3}, source"))),
    (SMM, ("{dataset: [dtd, oxford_pets]}", "{}")),
    (MINI, ("fraction: 0.5", "fraction: 1")),
    (MINI, (COMMON, "training: {}")),
    (MINI, ("{options.patch: [1]", "{options.patch: [1, 2], method: [full]")),
    (TABLE, (FIXED, "fixed: {backbone: clip_vit_b16, shots: 4, fraction: 0.5, attributes: gpt3}")),
    (TABLE, ("columns: {vary: dataset, values: all}", "columns: {vary: dataset, without: [dtd]}")),
    (TABLE, ("average: true", "average: true\naverage_without: [dtd]")),
    (CURVES, "quantities: [train_loss]\n"),
    (PRINTED, (",acc,32.1,,", ",acc,,,")),
    (PRINTED, (",acc,32.1,,", ",acc,32.10,0.5,")),
]


KEPT = {name for file, *_ in [*WRONG, *VALID] for name in [Path(file).name]}


@pytest.fixture
def copy(tmp_path) -> Path:
    """The declarations without the artefacts that no test changes, which makes a plan fast."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        papers = Path(folder).parent.name == "papers"
        return [name for name in names if papers and name.endswith(".yaml") and name not in KEPT]

    shutil.copytree(REPOSITORY / "workflow", tmp_path / "workflow", ignore=left_out)
    shutil.copytree(REPOSITORY / "attributes", tmp_path / "attributes")
    return tmp_path


def change(root: Path, file: str, how: Change) -> None:
    path = root / file
    path.parent.mkdir(exist_ok=True)
    text = path.read_bytes() if path.exists() else b""
    if isinstance(how, tuple):
        old, new = (each.encode() for each in how)
        assert old in text, f"{file} has no {how[0]!r}"
        path.write_bytes(text.replace(old, new) if file == PRINTED and how[0] == "," else text.replace(old, new, 1))
    elif how == b"":
        path.write_bytes(b"")
    else:
        path.write_bytes(text + (how if isinstance(how, bytes) else how.encode()))


def said(root: Path) -> list[str]:
    """The lines that tell what is wrong: of the declaration, or of single artefacts."""
    try:
        return [str(error) for error in make_plan(root, CONFIG | {"artefacts": ["all"]}).broken.values()]
    except UserError as error:
        return [str(error)]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "how", "says"), WRONG, ids=[f"{file}-{says}" for file, _, says in WRONG])
def test_what_is_wrong_is_said_in_one_line(copy, file, how, says):
    change(copy, file, how)
    lines = said(copy)
    assert any(says in line for line in lines), lines
    assert not any("\n" in line for line in lines)
    assert any(Path(file).stem in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "how"), VALID, ids=[f"{file}-{how}" for file, how in VALID])
def test_what_is_valid_stays_so(copy, file, how):
    change(copy, file, how)
    assert said(copy) == []


def test_enough_is_tried():
    assert len(WRONG) > 80 and len(VALID) > 10
