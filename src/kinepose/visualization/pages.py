"""The templates of the pages: what they are filled with is escaped, and none of it may lack."""

import jinja2

PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("kinepose.visualization"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
