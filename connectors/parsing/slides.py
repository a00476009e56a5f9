"""Presentations: one ``slide`` anchor a slide, its title as heading, then texts, tables and notes."""

import io
from typing import TYPE_CHECKING, Any

from connectors.parsing.draft import Draft
from connectors.parsing.versions import named

if TYPE_CHECKING:
    from pptx.slide import Slide


def read_slides(data: bytes) -> Draft:
    """Read a pptx in slide order; hidden slides count, as in the program's own numbering."""
    import pptx

    presentation = pptx.Presentation(io.BytesIO(data))
    draft = Draft(named("python-pptx") + " pptx/1")
    draft.title = presentation.core_properties.title or ""
    for number, slide in enumerate(presentation.slides, start=1):
        draft.gap()
        start = draft.position
        _write_slide(slide, draft)
        draft.end_sections()
        draft.mark("slide", str(number), start)
    return draft


def _write_slide(slide: "Slide", draft: Draft) -> None:
    title = slide.shapes.title
    if title is not None and title.has_text_frame and title.text_frame.text.strip():
        draft.heading(1, title.text_frame.text)
    for shape in slide.shapes:
        if title is None or shape.shape_id != title.shape_id:
            _write_shape(shape, draft)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text
        if notes.strip():
            draft.gap()
            draft.line("Notes: " + notes)


def _write_shape(shape: Any, draft: Draft) -> None:
    if hasattr(shape, "shapes"):
        for inner in shape.shapes:
            _write_shape(inner, draft)
    elif getattr(shape, "has_table", False):
        rows = ([cell.text for cell in row.cells] for row in shape.table.rows)
        draft.table(enumerate(rows, start=1))
    elif getattr(shape, "has_chart", False):
        _write_chart(shape.chart, draft)
    elif shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            text = paragraph.text
            if text.strip():
                draft.line("  " * paragraph.level + ("- " if paragraph.level else "") + text)
        draft.gap()


def _write_chart(chart: Any, draft: Draft) -> None:
    """Write the figures that a chart draws as a table: categories down, series across."""
    if chart.has_title and chart.chart_title.has_text_frame:
        draft.line(chart.chart_title.text_frame.text)
    try:
        plots = list(chart.plots)
    except ValueError:
        # python-pptx knows no three-dimensional charts: their slide is still worth reading.
        return
    for plot in plots:
        series = [(str(one.name or ""), tuple(one.values)) for one in plot.series]
        rows = [["", *(name for name, _ in series)]]
        for place, category in enumerate(plot.categories):
            cells = (values[place] if place < len(values) else None for _, values in series)
            rows.append([str(category), *("" if cell is None else f"{cell:.15g}" for cell in cells)])
        draft.table(enumerate(rows, start=1))
