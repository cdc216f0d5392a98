"""Pages in one HTML file, with all images in it: what reports and albums are made of.

`templates/` holds the pages as Jinja templates, their styles and the album's script. `render.py` fills them in,
`images.py` embeds images, `formatting.py` writes numbers.
"""
