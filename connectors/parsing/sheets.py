"""Workbooks: one ``sheet`` anchor a sheet, one line a row, values as a person sees them."""

import datetime as dt
import io
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from connectors.parsing.draft import Draft
from connectors.parsing.versions import named

if TYPE_CHECKING:
    from openpyxl import Workbook

_QUOTED = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|\[[^\]]*\]|_.|\*.')
_HALF_SECOND = 500_000
_CURRENCY = "$€£¥₹"


def read_sheets(data: bytes) -> Draft:
    """Read an xlsx: results of formulas, rows with their own numbers, empty rows left out."""
    import openpyxl

    # openpyxl warns of extensions that it does not know; none of them holds cells.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        try:
            return _read(book)
        finally:
            book.close()


def _read(book: "Workbook") -> Draft:
    draft = Draft(named("openpyxl") + " xlsx/1")
    draft.title = book.properties.title or ""
    for sheet in book.worksheets:
        draft.gap()
        start = draft.position
        # Some programs write a wrong extent: only the rows themselves tell.
        sheet.reset_dimensions()
        draft.table(_rows(sheet))
        draft.mark("sheet", sheet.title, start)
    return draft


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """Give the rows that hold something, each with the sheet's own number."""
    for row in sheet.iter_rows():
        filled = [cell for cell in row if cell.value is not None]
        if filled:
            cells = ("" if cell.value is None else shown(cell.value, cell.number_format) for cell in row)
            yield filled[0].row, list(cells)


def shown(value: Any, number_format: str = "General") -> str:
    """Return a cell as a person sees it, free of locale: ISO dates, 28 not 28.0, 12.5%, $1,200.00."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, number_format or "General")
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        return _moment(value)
    return str(value)


def _moment(value: dt.date | dt.time | dt.timedelta) -> str:
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    if isinstance(value, dt.time):
        return value.strftime("%H:%M:%S").removesuffix(":00")
    if not isinstance(value, dt.datetime):
        return value.isoformat()
    # Dates are stored as fractions of a day: to the nearest second takes the rounding away.
    value = value.replace(microsecond=0) + dt.timedelta(seconds=value.microsecond >= _HALF_SECOND)
    return value.isoformat(" ").removesuffix(" 00:00:00").removesuffix(":00")


def _number(value: float, number_format: str) -> str:
    section = number_format.partition(";")[0]
    texts = [match[1] or match[2] or match[3] or "" for match in _QUOTED.finditer(section)]
    bare = _QUOTED.sub("", section)
    if "E+" in bare.upper() or "/" in bare or not any(sign in bare for sign in "0#"):
        return f"{value:.15g}"
    percent = "%" in bare
    places = re.search(r"\.([0#?]+)", bare)
    digits = len(places[1]) if places else 0
    whole = bare.split(".")[0].count("0")
    amount = f"{abs(value) * (100 if percent else 1):{',' if '#,' in bare or '0,' in bare else ''}.{digits}f}"
    if whole > len(amount.split(".", maxsplit=1)[0]):
        amount = amount.zfill(whole + len(amount) - len(amount.split(".", maxsplit=1)[0]))
    if places and "#" in places[1]:
        amount = amount.rstrip("0").rstrip(".")
    money = next((sign for sign in _CURRENCY if sign in bare or any(sign in text for text in texts)), "")
    leads = money and section.find(money) < min(section.find(sign) for sign in "0#" if sign in section)
    amount = money + amount if leads else f"{amount} {money}".rstrip()
    negative = value < 0 and any(digit in "123456789" for digit in amount)
    return ("-" if negative else "") + amount + ("%" if percent else "")
