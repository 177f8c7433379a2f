"""Every command in every form over a scene."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tests.canary.running import Runner
from tests.canary.scene import Scene

TABLES = ("http", "sip", "tls", "dns", "dhcp", "ntp", "events", "redirects")
FORMATS = ("text", "json", "mermaid", "plantuml", "markdown", "csv")
TEXTS = ("out.txt", "out.json", "out.md", "out.mmd", "out.puml", "out.csv")
PICTURES = ("out.svg", "out.png", "out.pdf")
PAGES = ("out.html", "out.har")


def everything(runner: Runner) -> str:
    """A flow of all events that there are, with all their facts in its labels."""
    listed = runner.run("events", "--list").decode()
    facts: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", listed.partition("\nAny event may have")[0]):
        name, _, rest = block.partition("\n")
        words = re.split(r"\n {4,}", "\n" + rest)[1:]
        facts[name.strip()] = re.findall(r"[\w.]+", " ".join(words[0:])) if words else []
    head = (
        'schema = 1\nname = "canary"\ntitle = "All that happens"\n[instance]\nkeys = []\nanchors = {anchors}\n'
        '[[actor]]\nid = "client"\ntitle = "Client"\nkind = "client"\n[[actor]]\nid = "server"\ntitle = "Server"\n'
        '[[step]]\nnumber = 1\ntitle = "All"\nbetween = ["client", "server"]\n'
    )
    arrows = ""
    anchors = []
    for index, (name, known) in enumerate(facts.items()):
        label = name + "".join(f"[ {fact}={{{fact}}}]" for fact in known)
        anchors.append(f"a{index}")
        arrows += f'[[step.arrow]]\nid = "a{index}"\nevent = "{name}"\nfrom = "client"\nto = "server"\nlabel = "{label}"\n'
    return head.replace("{anchors}", json.dumps(anchors)) + arrows


def definition(runner: Runner, scene: Scene) -> Path:
    path = scene.folder / "everything.toml"
    if not path.exists():
        path.write_text(everything(runner), "utf-8")
    return path


def tables(runner: Runner, scene: Scene, forms: tuple[str, ...] = ("table", "json", "csv")) -> None:
    captures = [str(path) for path in scene.captures]
    for table in TABLES:
        for form in forms:
            runner.run(table, *captures, *scene.options, "--format", form)
    for form in ("text", "json"):
        runner.run("info", *captures, *scene.options, "--format", form)


def charts(runner: Runner, scene: Scene, pictures: tuple[str, ...] = ()) -> None:
    """One run writes every file; standard output has its own writers."""
    captures = [str(path) for path in scene.captures]
    flow = str(definition(runner, scene))
    common = [*captures, *scene.options, *scene.logs]
    runner.run("flow", *common, out=(*TEXTS, *PAGES))
    runner.run("report", *common, "--flow", flow, out=(*TEXTS, *PAGES, *pictures))


def chart_formats(runner: Runner, scene: Scene) -> None:
    captures = [str(path) for path in scene.captures]
    for form in FORMATS:
        runner.run("flow", *captures, *scene.options, *scene.logs, "--format", form)


def anonymous(runner: Runner, scene: Scene) -> None:
    captures = [str(path) for path in scene.captures]
    flow = str(definition(runner, scene))
    common = [*captures, *scene.options, *scene.logs, "--flow", flow, "--anonymize"]
    runner.run("report", *common, out=(*TEXTS, *PAGES))
    runner.run("flow", *common, "--format", "text")


def exports(runner: Runner, scene: Scene) -> None:
    flow = str(definition(runner, scene))
    common = [str(path) for path in scene.captures] + scene.options + ["--flow", flow]
    runner.run("export", *common, out=("out.pcapng",))
    runner.run("export", *common, "--scrub", out=("out.pcapng",))


def golden(runner: Runner, scene: Scene) -> None:
    """A golden file, the comparison with it and with one that differs, `diff`."""
    captures = [str(path) for path in scene.captures]
    flow = str(definition(runner, scene))
    kept = runner.folder / "golden.json"
    common = [*captures, *scene.options, *scene.logs, "--flow", flow, "--expect", str(kept)]
    runner.run("check", *common, "--update")
    if kept.exists():
        from tests.canary.running import Output

        runner.outputs.append(Output("check --update", kept.name, kept.read_bytes()))
        runner.run("check", *common)
        other = runner.folder / "other.json"
        other.write_bytes(re.sub(rb'"(label|text)": "', rb'"\1": "not ', kept.read_bytes()))
        runner.run("check", *common[:-1], str(other))
        runner.run("diff", str(kept), str(other))
    runner.run("diff", captures[0], captures[-1])


def folder(runner: Runner, scene: Scene) -> None:
    runner.run("report", str(scene.folder), out=("pages",))


def bodies(runner: Runner, scene: Scene, most: int | None = None) -> int:
    """`--body` of each message that has one; returns how many."""
    done = 0
    for path in scene.captures:
        for kind, frame in list(_with_bodies(runner, scene, path))[:most]:
            for form in ("table", "json"):
                runner.run(kind, str(path), *scene.options, "--body", str(frame), "--format", form)
            done += 1
    return done


def _with_bodies(runner: Runner, scene: Scene, path: Path) -> Iterator[tuple[str, int]]:
    for kind in ("http", "sip"):
        reported = runner.run(kind, str(path), *scene.options, "--format", "json").decode()
        frames: set[int] = set()
        for line in reported.splitlines():
            row = json.loads(line)
            frames |= {row["first_frame"], row["last_frame"]}
        yield from ((kind, frame) for frame in sorted(frames))


def tshark(runner: Runner, scene: Scene) -> None:
    """All that starts the other engine."""
    for path in map(str, scene.captures):
        for form in ("text", "json"):
            runner.run("crosscheck", path, *scene.options, "--format", form)
    captures = [str(path) for path in scene.captures]
    for table in ("http", "sip", "tls", "events", "dns"):
        runner.run(table, *captures, *scene.options, "--engine", "tshark", "--format", "json")
    runner.run("report", *captures, *scene.options, "--engine", "tshark", out=PAGES)
