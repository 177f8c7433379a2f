"""Templates, style and script of the HTML pages; `dissect.render.html` fills them."""
