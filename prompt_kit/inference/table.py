"""Rows of a tab-separated table that readers of such tables read back exactly: one rule for all that prompt-kit writes.

A field that holds a tab, a line break or a quotation mark stands in quotation marks, each of its own doubled (RFC 4180, with
tabs for commas). So does one that starts with a byte order mark, which a reader would take for the file's. Any other
text stands as it is. Read it with `csv.reader(file, delimiter="\t")`, or with
`pandas.read_csv(path, sep="\t", keep_default_na=False)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_QUOTED = re.compile('[\t\n\r"]|^\ufeff')


def table_row(fields: Sequence[str]) -> str:
    """The fields as one row, without the line break after it."""
    return "\t".join(f'"{field.replace(chr(34), chr(34) * 2)}"' if _QUOTED.search(field) else field for field in fields)
