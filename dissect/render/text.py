"""Text for terminals and tickets: the verdict first and last, between them the ladder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dissect.model import SequenceChart
from dissect.render import Options, headline, summary, text_wrapping, words
from dissect.render.overview import overview, reduced
from dissect.render.terminal_style import TerminalStyle, listed
from dissect.render.text_ladder import Ladder
from dissect.render.text_overview import Short

MIN_WIDTH = 40


def render(charts: Sequence[SequenceChart], options: Options) -> str:
    """All `charts` one below the other, what the run has to say, and the verdict once more."""
    terminal = TerminalStyle(options.color, options.ascii)
    width = max(MIN_WIDTH, options.width)
    lines = [] if charts else ["No sign-in was found."]
    lines += _several(charts, terminal, width)
    drawn = reduced(charts, options.detail)
    for number, (chart, shown) in enumerate(zip(charts, drawn, strict=True), 1):
        if number > 1:
            lines += ["", terminal.paint(terminal.strokes.rule * width, "dim"), ""]
        if len(charts) > 1:
            lines.append(terminal.paint(f"{number} of {len(charts)}", "dim"))
        if options.detail == "overview":
            lines += Short(overview(chart), terminal, width).lines()
        else:
            lines += Ladder(shown, terminal, width).lines()
    reported = {sentence for chart in charts for sentence in chart.diagnostics}
    rest = [s for s in dict.fromkeys(options.diagnostics) if s not in reported]
    lines += listed("Diagnostics of this run" if reported else "Diagnostics", rest, terminal, width)
    lines += _last(charts, terminal, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _several(charts: Sequence[SequenceChart], terminal: TerminalStyle, width: int) -> Iterator[str]:
    """Of several charts how many failed, and who each is of, what failed first."""
    rows = summary.rows(charts)
    if not rows:
        return
    status = headline.worst(charts)
    yield from _verdict(status, words.sentence(headline.count(charts)), terminal, width)
    digits = len(str(len(rows)))
    for row in rows:
        yield ""
        until = f" to {row.end}" if row.end not in ("", row.start) else ""
        where = f"at {row.address}" if row.address and row.who else row.address
        took = f"({row.took})" if row.took else ""
        about = " ".join(filter(None, (row.who, where)))
        when = " ".join(filter(None, (f"{row.start}{until}", took)))
        head = f"{terminal.glyph(row.status)} {row.number:>{digits}}  "
        texts = [(", ".join(filter(None, (about, when))), "title")]
        stop = "failed at" if row.status == "failed" else f"{row.status}, stopped at"
        place = f"{stop} step {row.step}" if row.step else row.status
        if row.status != "complete" or row.what:
            texts.append((f"{place}: {row.what}" if row.what else place, row.status))
        texts.append((", ".join(filter(None, (row.device, row.cause))), "dim"))
        indent = text_wrapping.cell_width(head)
        for number, (text, style) in enumerate(texts):
            for index, line in enumerate(terminal.wrap(text, width - indent - 2) if text else ()):
                opens = not number and not index
                lead = terminal.paint(head, row.status) if opens else " " * indent
                yield f"  {lead}{terminal.paint(line, style)}"
    yield ""
    yield terminal.paint(terminal.strokes.rule * width, "dim")
    yield ""


def _last(charts: Sequence[SequenceChart], terminal: TerminalStyle, width: int) -> Iterator[str]:
    """The verdict, where a long text has scrolled its beginning away."""
    if not charts:
        return
    yield ""
    if len(charts) > 1:
        yield from _verdict(
            headline.worst(charts), words.sentence(headline.count(charts)), terminal, width
        )
        return
    chart = charts[0]
    first, _, rest = headline.last_line(chart).partition(" ")
    yield from _verdict(chart.status, f"{first.upper()} {rest}", terminal, width)


def _verdict(status: str, text: str, terminal: TerminalStyle, width: int) -> Iterator[str]:
    for line in terminal.wrap(f"{terminal.glyph(status)} {text}", width):
        yield terminal.paint(line, status)
