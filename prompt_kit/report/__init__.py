"""What do I look at? One self-contained page about how a model did, with its pictures as files too.

Needs the extra 'report': matplotlib draws, scikit-learn counts, jinja2 writes the page.
"""
